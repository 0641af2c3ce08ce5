#include "program.h"

#include <algorithm>
#include <cstring>

#include "verify.h"

namespace flatmin {

namespace {

const KernelEntry& findKernel(KernelTable table, const std::string& op) {
  for (const KernelEntry* entry = table; entry->op; ++entry)
    if (op == entry->op) return *entry;
  throw ProgramError("op " + op + " has no kernel on this device");
}

}  // namespace

Program::Program(const ProgramSpec& spec, std::shared_ptr<Store> store)
    : spec_(spec), store_(std::move(store)) {
  verify(spec_);
  arena_ = Memory(*store_->device, spec.arenaBytes);
  for (size_t id = 0; id < spec_.buffers.size(); ++id) {
    const BufferSpec& buffer = spec_.buffers[id];
    char* data = nullptr;
    if (buffer.place == PlaceKind::arena) {
      data = arena_.data() + buffer.offset;
    } else if (buffer.place == PlaceKind::store) {
      Memory& memory = store_->at(buffer.key);
      if (memory.bytes() != buffer.type.bytes())
        throw ProgramError("buffer " + buffer.key + " has another size in the store");
      data = memory.data();
    } else {
      bound_.push_back({id, nullptr, Memory()});
      if (store_->device->queue()) {
        bound_.back().copy = Memory(*store_->device, buffer.type.bytes());
        data = bound_.back().copy.data();
      }
    }
    buffers_.push_back(data);
  }

  const auto operand = [&](int id) {
    return Operand{spec_.buffers[static_cast<size_t>(id)].type, id};
  };
  int64_t scratchBytes = 0;
  for (const InstructionSpec& given : spec_.instructions) {
    Instruction instruction;
    for (int id : given.inputs) instruction.inputs.push_back(operand(id));
    for (int id : given.outputs) instruction.outputs.push_back(operand(id));
    instruction.attrs = given.attrs;
    instruction.threads = store_->pool->threads();
    instruction.device = store_->device.get();
    Run run = findKernel(store_->kernels, given.op).prepare(instruction);
    prepared_.push_back(
        {std::move(run), given.section == 0 ? -1 : spec_.slots + given.section - 1});
    scratchBytes = std::max(scratchBytes, instruction.scratchBytes);
  }
  Device& device = *store_->device;
  scratch_ = Memory(device, scratchBytes);
  if (device.queue()) {
    const int64_t bytes = static_cast<int64_t>(buffers_.size() * sizeof(char*));
    table_ = Memory(device, bytes);
    device.upload(table_.data(), buffers_.data(), bytes);
    queued_ = std::make_unique<QueuedSteps>(device, spec_, buffers_);
  }
}

bool Program::stopped() const {
  if (spec_.status < 0) return false;
  int32_t word = 0;
  store_->device->download(&word, buffers_[static_cast<size_t>(spec_.status)], sizeof word);
  return word != 0;
}

void Program::bringIn() {
  for (const Bound& bound : bound_) {
    if (queued_)
      store_->device->upload(bound.copy.data(), bound.data, bound.copy.bytes());
    else
      buffers_[bound.id] = bound.data;
  }
}

void Program::bringOut() {
  if (!queued_) return;
  for (const Bound& bound : bound_)
    store_->device->download(bound.data, bound.copy.data(), bound.copy.bytes());
}

void Program::launch(const double* row, int phase, const Step& step) const {
  const size_t first = phase < 0 ? 0 : static_cast<size_t>(spec_.phases[phase]);
  const size_t last = phase < 0 || phase + 1 == phases()
                          ? prepared_.size()
                          : static_cast<size_t>(spec_.phases[phase + 1]);
  for (size_t i = first; i < last; ++i) {
    const Prepared& prepared = prepared_[i];
    if (prepared.flag < 0 || row[prepared.flag] != 0) prepared.run(step);
  }
}

int64_t Program::runHere(const double* rows, int64_t steps, int phase, float* reports,
                         const std::atomic<bool>& abort, std::atomic<int64_t>& done) {
  int64_t step = 0;
  for (; step < steps && !abort.load(std::memory_order_relaxed) && !stopped(); ++step) {
    const double* row = rows + step * rowWidth();
    launch(row, phase,
           {buffers_.data(), buffers_.data(), row, scratch_.data(), *store_->pool, nullptr});
    for (size_t i = 0; i < spec_.reports.size(); ++i)
      std::memcpy(reports + step * reportCount() + i, buffers_[spec_.reports[i]], sizeof(float));
    done.store(step + 1, std::memory_order_release);
  }
  return step;
}

int64_t Program::run(const double* rows, int64_t steps, int phase, float* reports,
                     const std::atomic<bool>& abort, std::atomic<int64_t>& done) {
  bringIn();
  if (!queued_) return runHere(rows, steps, phase, reports, abort, done);
  if (stopped()) steps = 0;
  const Step step{buffers_.data(), reinterpret_cast<char* const*>(table_.data()),
                  queued_->row(),  scratch_.data(),
                  *store_->pool,   store_->device->queue()->stream()};
  const int64_t taken = queued_->run(rows, steps, phase, reports, abort, done,
                                     [&](const double* row) { launch(row, phase, step); });
  bringOut();
  return taken;
}

}  // namespace flatmin
