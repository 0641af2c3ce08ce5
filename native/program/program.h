// Runs a program on the device of its store: instruction after instruction, step after step.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "queued_steps.h"
#include "store.h"

namespace flatmin {

class Program {
 public:
  Program(const ProgramSpec& spec, std::shared_ptr<Store> store);

  // Performs up to `steps` steps, a row of slots and section flags each, until `abort` or the
  // status block stops it; phase -1 runs all phases. Reports go to reports[step *
  // reportCount()...]. Returns the steps done.
  int64_t run(const double* rows, int64_t steps, int phase, float* reports,
              const std::atomic<bool>& abort, std::atomic<int64_t>& done);

  // The caller's arrays for the bound buffers, in the order in which they stand; valid for the next
  // run.
  void bind(size_t index, void* data) { bound_.at(index).data = static_cast<char*>(data); }
  size_t boundCount() const { return bound_.size(); }
  const TensorType& boundType(size_t index) const { return spec_.buffers[bound_.at(index).id].type; }

  // The status block ended the last run, and ends every other until its first word is cleared.
  bool stopped() const;
  int rowWidth() const { return spec_.rowWidth(); }
  int reportCount() const { return static_cast<int>(spec_.reports.size()); }
  // Of device memory, the store's not counted.
  int64_t bytes() const { return arena_.bytes() + scratch_.bytes() + table_.bytes(); }
  int phases() const { return static_cast<int>(spec_.phases.size()); }
  Store& store() { return *store_; }

 private:
  struct Prepared {
    Run run;
    int flag;  // column of the row that must be non-zero, -1 for every step
  };
  // On another device than the host, the caller's array is copied in before a run and out after.
  struct Bound {
    size_t id;
    char* data;
    Memory copy;
  };

  void bringIn();
  void bringOut();
  void launch(const double* row, int phase, const Step& step) const;
  int64_t runHere(const double* rows, int64_t steps, int phase, float* reports,
                  const std::atomic<bool>& abort, std::atomic<int64_t>& done);

  ProgramSpec spec_;
  std::shared_ptr<Store> store_;
  Memory arena_, scratch_, table_;
  std::vector<char*> buffers_;
  std::vector<Bound> bound_;
  std::vector<Prepared> prepared_;
  std::unique_ptr<QueuedSteps> queued_;  // on a device with a queue
};

}  // namespace flatmin
