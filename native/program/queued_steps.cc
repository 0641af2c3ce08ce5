#include "queued_steps.h"

#include <algorithm>
#include <cstring>

namespace flatmin {

namespace {

constexpr int64_t kWord = 4;  // bytes of a report, and of the status word before them

}  // namespace

QueuedSteps::QueuedSteps(Device& device, const ProgramSpec& spec, const std::vector<char*>& buffers)
    : queue_(*device.queue()),
      spec_(spec),
      buffers_(buffers),
      rowBytes_(spec.rowWidth() * static_cast<int64_t>(sizeof(double))),
      resultBytes_(kWord * static_cast<int64_t>(1 + spec.reports.size())),
      row_(device, rowBytes_),
      result_(device, resultBytes_) {
  // One piece: nothing is left behind when it fails.
  pinnedRows_ = queue_.pin(Queue::kMarks * (rowBytes_ + resultBytes_));
  pinnedResults_ = pinnedRows_ + Queue::kMarks * rowBytes_;
}

QueuedSteps::~QueuedSteps() { queue_.unpin(pinnedRows_); }

int64_t QueuedSteps::run(const double* rows, int64_t steps, int phase, float* reports,
                         const std::atomic<bool>& abort, std::atomic<int64_t>& done,
                         const std::function<void(const double* row)>& launch) {
  const size_t reportBytes = spec_.reports.size() * kWord;
  int64_t asked = 0, seen = 0;
  bool stopped = false;
  while (!stopped) {
    while (asked < steps && asked - seen < Queue::kMarks &&
           !abort.load(std::memory_order_relaxed)) {
      ask(rows + asked * spec_.rowWidth(), static_cast<int>(asked % Queue::kMarks), phase, launch);
      ++asked;
    }
    if (seen == asked) break;
    const int slot = static_cast<int>(seen % Queue::kMarks);
    queue_.await(slot);
    int32_t status = 0;
    std::memcpy(&status, result(slot), sizeof status);
    if (reportBytes > 0)
      std::memcpy(reports + seen * static_cast<int64_t>(spec_.reports.size()), result(slot) + kWord,
                  reportBytes);
    stopped = status != 0;
    done.store(++seen, std::memory_order_release);
  }
  // Steps that were asked for after a stop stand still.
  if (seen < asked) queue_.wait();
  return seen;
}

void QueuedSteps::ask(const double* row, int slot, int phase,
                      const std::function<void(const double* row)>& launch) {
  char* const pinned = pinnedRows_ + slot * rowBytes_;
  if (rowBytes_ > 0) {
    std::memcpy(pinned, row, static_cast<size_t>(rowBytes_));
    queue_.copyIn(row_.data(), pinned, rowBytes_);
  }
  const auto work = [&] {
    launch(row);
    gather();
  };
  Combination due{phase, {}};
  for (int s = spec_.slots; s < spec_.rowWidth(); ++s) due.second.push_back(row[s] != 0);
  Launches& known = launches_[due];
  // Once is cheaper without, and loads the kernels, which must not happen while recording.
  if (++known.uses == 2) known.recording = queue_.record(work);
  if (known.recording)
    known.recording->replay();
  else
    work();
  queue_.copyOut(pinnedResults_ + slot * resultBytes_, result_.data(), resultBytes_);
  queue_.mark(slot);
}

// The status word and the reports side by side, so that one copy brings them to the host.
void QueuedSteps::gather() {
  if (spec_.status >= 0)
    queue_.copy(result_.data(), buffers_[static_cast<size_t>(spec_.status)], kWord);
  for (size_t i = 0; i < spec_.reports.size(); ++i)
    queue_.copy(result_.data() + kWord * static_cast<int64_t>(i + 1),
                buffers_[static_cast<size_t>(spec_.reports[i])], kWord);
}

}  // namespace flatmin
