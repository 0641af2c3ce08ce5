// Thread blocks of a kernel on the CPU: a fiber for each thread, in an order drawn from a seed.
// What CUDA leaves undefined and a block can see is a Fault: a barrier that not all threads reach,
// a shuffle that not all lanes of its mask take part in, a write beyond shared memory.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.h"

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr uint64_t count() const { return uint64_t{x} * y * z; }
};

extern thread_local uint3 threadIdx, blockIdx;
extern thread_local dim3 blockDim, gridDim;

namespace flatmin {
namespace emulation {

// A kernel did what CUDA does not define.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A place in a kernel.
struct Site {
  const char* file;
  int line;
  bool operator==(const Site& other) const { return line == other.line && file == other.file; }
};

enum class WarpOp { sync, shuffle, ballot };

// The order in which threads and blocks run. Uniform: any thread that can run is next; warp
// priority: the first warp, in an order of its own, that has one.
struct Order {
  uint64_t seed = 1;
  bool warpPriority = false;
};

// Of the launches that follow on this host thread. Without it FLATMIN_THREAD_ORDER gives the seed,
// and odd seeds warp priority.
void setOrder(const Order& order);

using Body = std::function<void()>;

class Block {
 public:
  Block(const char* kernel, dim3 size, size_t dynamicBytes, uint64_t seed, bool warpPriority);

  void run(uint3 index, const Body& body);

  // What threads call.
  bool barrier(Site site, bool vote);
  uint64_t warp(WarpOp op, Site site, uint32_t mask, uint64_t value, int source);
  void* shared(size_t bytes, Site site);
  void* dynamicShared(Site site);
  [[noreturn]] void fail(Site site, const std::string& what);

 private:
  enum class State { ready, barrier, warp, done };
  struct Request {
    WarpOp op;
    Site site;
    uint32_t mask;
    uint64_t value;
    int source;
  };
  struct Thread {
    State state;
    Site site;  // where it waits
    Request request;
    uint64_t answer;
  };
  struct Warp {
    uint32_t waiting, done;
    int turn;  // counts operations
    // What orders memory by this operation; the next may begin before all have left this one.
    void* order() { return turn % 2 == 0 ? &waiting : &done; }
  };
  struct Region {
    Site site;
    size_t bytes;
    std::vector<char> memory;  // with a border on both sides
    char* data() { return memory.data() + kBorder; }
  };
  static constexpr size_t kBorder = 64;

  static void enter(void* block);
  void end();
  void wait(State state, Site site);
  void wake(int thread);
  int next();
  uint64_t draw(uint64_t below);
  void answerWarp(int warp, uint32_t mask);
  void checkBorders();
  std::string nameOf(int thread) const;

  const char* const kernel_;
  const dim3 size_;
  const size_t dynamicBytes_;
  const int count_;
  uint64_t random_;
  const bool warpPriority_;
  const Body* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<int> order_;               // of warps; all threads are one group in uniform order
  std::vector<std::vector<int>> ready_;  // threads by group
  std::vector<Region> regions_;
  int self_ = 0;  // the thread that runs
  int alive_ = 0, atBarrier_ = 0;
  char barriers_[2] = {};              // what orders memory by a barrier, and by the next one
  int turn_ = 0;                       // counts barriers
  bool vote_ = false, votes_ = false;  // of the barrier being reached, and of the last one
  std::string fault_;
};

// The block that runs on this host thread.
Block& currentBlock();

void launch(const char* kernel, dim3 grid, dim3 block, size_t sharedBytes, const Body& body);

}  // namespace emulation
}  // namespace flatmin
