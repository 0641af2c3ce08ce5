// Steps of a program on a device with a queue: the host asks for them ahead of the device, and
// looks at status and reports later. Rows and results pass through slots of pinned memory. What a
// combination of due sections launches is recorded the second time it is due, and replayed from
// then on: addresses never change, and the row is always at the same place.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "memory.h"
#include "spec.h"

namespace flatmin {

class QueuedSteps {
 public:
  QueuedSteps(Device& device, const ProgramSpec& spec, const std::vector<char*>& buffers);
  ~QueuedSteps();
  QueuedSteps(const QueuedSteps&) = delete;
  QueuedSteps& operator=(const QueuedSteps&) = delete;

  // Where kernels read the parameter row.
  const double* row() const { return reinterpret_cast<const double*>(row_.data()); }

  // As Program::run; `launch(row)` asks for a step's kernels, of which `phase` is said.
  int64_t run(const double* rows, int64_t steps, int phase, float* reports,
              const std::atomic<bool>& abort, std::atomic<int64_t>& done,
              const std::function<void(const double* row)>& launch);

 private:
  // The phase, and which sections are due.
  using Combination = std::pair<int, std::vector<bool>>;
  struct Launches {
    int64_t uses = 0;
    std::unique_ptr<Recording> recording;
  };

  void ask(const double* row, int slot, int phase,
           const std::function<void(const double* row)>& launch);
  void gather();
  const char* result(int slot) const { return pinnedResults_ + slot * resultBytes_; }

  Queue& queue_;
  const ProgramSpec& spec_;
  const std::vector<char*>& buffers_;
  const int64_t rowBytes_, resultBytes_;
  Memory row_, result_;  // of one step, on the device
  char* pinnedRows_ = nullptr;
  char* pinnedResults_ = nullptr;
  std::map<Combination, Launches> launches_;
};

}  // namespace flatmin
