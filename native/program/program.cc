#include "program.h"

#include <algorithm>

namespace flatmin {

namespace {

const KernelEntry& findKernel(KernelTable table, const std::string& op) {
  for (const KernelEntry* entry = table; entry->op; ++entry)
    if (op == entry->op) return *entry;
  throw ProgramError("op " + op + " has no kernel on this device");
}

}  // namespace

Program::Program(const ProgramSpec& spec, std::shared_ptr<Store> store)
    : spec_(spec), store_(std::move(store)), arena_(*store_->device, spec.arenaBytes) {
  for (size_t id = 0; id < spec_.buffers.size(); ++id) {
    const BufferSpec& buffer = spec_.buffers[id];
    char* data = nullptr;
    if (buffer.place == PlaceKind::arena) {
      if (buffer.offset < 0 || buffer.offset + buffer.type.bytes() > spec_.arenaBytes)
        throw ProgramError("buffer outside the arena");
      data = arena_.data() + buffer.offset;
    } else if (buffer.place == PlaceKind::store) {
      Memory& memory = store_->at(buffer.key);
      if (memory.bytes() != buffer.type.bytes())
        throw ProgramError("buffer " + buffer.key + " has another size in the store");
      data = memory.data();
    } else {
      bound_.push_back({id, nullptr, Memory()});
      if (!store_->device->isHost()) {
        bound_.back().copy = Memory(*store_->device, buffer.type.bytes());
        data = bound_.back().copy.data();
      }
    }
    buffers_.push_back(data);
  }

  const int count = static_cast<int>(buffers_.size());
  auto operand = [&](int id) {
    if (id < 0 || id >= count) throw ProgramError("buffer id out of range");
    return Operand{spec_.buffers[id].type, id};
  };
  for (int id : spec_.reports)
    if (operand(id).type.bytes() != 4) throw ProgramError("a report is not one f32");
  if (spec_.status >= 0) operand(spec_.status);

  int64_t scratchBytes = 0;
  for (const InstructionSpec& given : spec_.instructions) {
    Instruction instruction;
    for (int id : given.inputs) instruction.inputs.push_back(operand(id));
    for (int id : given.outputs) instruction.outputs.push_back(operand(id));
    instruction.attrs = given.attrs;
    instruction.threads = store_->pool.threads();
    instruction.device = store_->device.get();
    if (given.section < 0 || given.section >= spec_.sections)
      throw ProgramError("section out of range");
    Run run = findKernel(store_->kernels, given.op).prepare(instruction);
    prepared_.push_back(
        {std::move(run), given.section == 0 ? -1 : spec_.slots + given.section - 1});
    scratchBytes = std::max(scratchBytes, instruction.scratchBytes);
  }
  Device& device = *store_->device;
  scratch_ = Memory(device, scratchBytes);
  if (!device.isHost()) {
    const int64_t bytes = static_cast<int64_t>(buffers_.size() * sizeof(char*));
    table_ = Memory(device, bytes);
    device.upload(table_.data(), buffers_.data(), bytes);
    device.wait();
  }
}

bool Program::stopped() const {
  if (spec_.status < 0) return false;
  int32_t word = 0;
  store_->device->download(&word, buffers_[static_cast<size_t>(spec_.status)], sizeof word);
  store_->device->wait();
  return word != 0;
}

void Program::bringIn() {
  for (const Bound& bound : bound_) {
    if (store_->device->isHost())
      buffers_[bound.id] = bound.data;
    else
      store_->device->upload(bound.copy.data(), bound.data, bound.copy.bytes());
  }
}

void Program::bringOut() {
  if (store_->device->isHost()) return;
  for (const Bound& bound : bound_)
    store_->device->download(bound.data, bound.copy.data(), bound.copy.bytes());
  store_->device->wait();
}

int64_t Program::run(const double* rows, int64_t steps, int phase, float* reports,
                     const std::atomic<bool>& abort, std::atomic<int64_t>& done) {
  const size_t first = phase < 0 ? 0 : static_cast<size_t>(spec_.phases[phase]);
  const size_t last = phase < 0 || phase + 1 == phases()
                          ? prepared_.size()
                          : static_cast<size_t>(spec_.phases[phase + 1]);
  Device& device = *store_->device;
  char* const* const table =
      device.isHost() ? buffers_.data() : reinterpret_cast<char* const*>(table_.data());
  bringIn();
  int64_t step = 0;
  for (; step < steps && !abort.load(std::memory_order_relaxed) && !stopped(); ++step) {
    const double* row = rows + step * rowWidth();
    const Step context{buffers_.data(), table,        device.place(row, rowWidth()),
                       scratch_.data(), store_->pool, device.stream()};
    for (size_t i = first; i < last; ++i) {
      const Prepared& prepared = prepared_[i];
      if (prepared.flag < 0 || row[prepared.flag] != 0) prepared.run(context);
    }
    for (size_t i = 0; i < spec_.reports.size(); ++i)
      device.download(reports + step * reportCount() + i, buffers_[spec_.reports[i]],
                      sizeof(float));
    device.wait();
    done.store(step + 1, std::memory_order_release);
  }
  bringOut();
  return step;
}

}  // namespace flatmin
