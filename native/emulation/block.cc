#include "block.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>

#include "memory.h"
#include "races.h"

thread_local uint3 threadIdx, blockIdx;
thread_local dim3 blockDim, gridDim;

namespace flatmin {
namespace emulation {

namespace {

constexpr int kLanes = 32;
constexpr unsigned char kPoison = 0xff;  // NaN in every float format
constexpr unsigned char kGuard = 0xa5;
constexpr size_t kSharedBytes = 48 << 10;  // what every card gives without being asked

thread_local Block* current = nullptr;
thread_local std::optional<Order> chosenOrder;

// Fibers of this host thread, kept for the next block.
std::vector<Fiber>& fibers() {
  static thread_local std::vector<Fiber> pool;
  return pool;
}

Order orderOfLaunch() {
  if (chosenOrder) return *chosenOrder;
  const char* text = std::getenv("FLATMIN_THREAD_ORDER");
  const uint64_t seed = text ? std::strtoull(text, nullptr, 10) : 1;
  return {seed, seed % 2 == 1};
}

std::string text(Site site) {
  const char* name = std::strrchr(site.file, '/');
  return std::string(name ? name + 1 : site.file) + ":" + std::to_string(site.line);
}

uint64_t mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

void setOrder(const Order& order) { chosenOrder = order; }

Block& currentBlock() {
  if (!current) {
    std::fputs("an operation of CUDA threads, or undefined behaviour, outside a kernel\n", stderr);
    std::abort();
  }
  return *current;
}

Block::Block(const char* kernel, dim3 size, size_t dynamicBytes, uint64_t seed, bool warpPriority)
    : kernel_(kernel),
      size_(size),
      dynamicBytes_(dynamicBytes),
      count_(static_cast<int>(size.count())),
      random_(mix(seed)),
      warpPriority_(warpPriority),
      threads_(static_cast<size_t>(count_)),
      warps_(static_cast<size_t>((count_ + kLanes - 1) / kLanes)) {
  order_.resize(warpPriority ? warps_.size() : 1);
  std::iota(order_.begin(), order_.end(), 0);
  ready_.resize(order_.size());
  regions_.reserve(16);  // no thread moves what another allocated
  while (fibers().size() < threads_.size()) fibers().emplace_back();
}

void Block::run(uint3 index, const Body& body) {
  body_ = &body;
  blockIdx = index;
  blockDim = size_;
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[draw(i)]);
  std::fill(warps_.begin(), warps_.end(), Warp{0, 0, 0});
  regions_.clear();
  alive_ = count_;
  atBarrier_ = 0;
  vote_ = false;
  races::before(&warps_);
  for (int t = 0; t < count_; ++t) {
    fibers()[static_cast<size_t>(t)].start(&Block::enter, this);
    wake(t);
  }
  while (alive_ > 0 && fault_.empty()) {
    self_ = next();
    if (self_ < 0) break;
    const unsigned t = static_cast<unsigned>(self_);
    threadIdx = {t % size_.x, t / size_.x % size_.y, t / (size_.x * size_.y)};
    current = this;
    fibers()[t].resume();
  }
  races::after(&alive_);
  if (fault_.empty() && alive_ > 0) {
    const auto waiting = std::find_if(threads_.begin(), threads_.end(),
                                      [](const Thread& t) { return t.state != State::done; });
    fault_ = nameOf(static_cast<int>(waiting - threads_.begin())) + " waits at " +
             text(waiting->site) + " for threads that never come";
  }
  if (fault_.empty()) checkBorders();
  if (!fault_.empty()) throw Fault(std::string(kernel_) + ": " + fault_);
}

void Block::enter(void* block) {
  Block* const self = static_cast<Block*>(block);
  races::after(&self->warps_);
  (*self->body_)();
  races::before(&self->alive_);
  self->end();
}

void Block::end() {
  Thread& thread = threads_[static_cast<size_t>(self_)];
  thread.state = State::done;
  --alive_;
  warps_[static_cast<size_t>(self_ / kLanes)].done |= 1u << (self_ % kLanes);
  if (atBarrier_ > 0) {
    const auto waiting = std::find_if(threads_.begin(), threads_.end(),
                                      [](const Thread& t) { return t.state == State::barrier; });
    fault_ = "divergent barrier: " + nameOf(self_) + " ended while " +
             nameOf(static_cast<int>(waiting - threads_.begin())) + " waits at " +
             text(waiting->site);
  }
  fibers()[static_cast<size_t>(self_)].leave();
}

void Block::fail(Site site, const std::string& what) {
  fault_ = nameOf(self_) + " at " + text(site) + ": " + what;
  fibers()[static_cast<size_t>(self_)].leave();
}

void Block::wait(State state, Site site) {
  const int self = self_;
  threads_[static_cast<size_t>(self)].state = state;
  threads_[static_cast<size_t>(self)].site = site;
  fibers()[static_cast<size_t>(self)].pause();
}

void Block::wake(int thread) {
  threads_[static_cast<size_t>(thread)].state = State::ready;
  ready_[warpPriority_ ? static_cast<size_t>(thread / kLanes) : 0].push_back(thread);
}

int Block::next() {
  for (const int group : order_) {
    std::vector<int>& threads = ready_[static_cast<size_t>(group)];
    if (threads.empty()) continue;
    std::swap(threads[draw(threads.size())], threads.back());
    const int thread = threads.back();
    threads.pop_back();
    return thread;
  }
  return -1;
}

uint64_t Block::draw(uint64_t below) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return (random_ >> 11) % below;
}

bool Block::barrier(Site site, bool vote) {
  if (alive_ < count_) fail(site, "divergent barrier: threads of the block have ended");
  for (const Thread& other : threads_) {
    if (atBarrier_ == 0) break;
    if (other.state != State::barrier) continue;
    if (!(other.site == site)) fail(site, "divergent barrier: others wait at " + text(other.site));
    break;
  }
  vote_ |= vote;
  char* const order = &barriers_[turn_ % 2];
  races::before(order);
  if (++atBarrier_ < count_) {
    wait(State::barrier, site);
    races::after(order);
    return votes_;
  }
  atBarrier_ = 0;
  ++turn_;
  votes_ = vote_;
  vote_ = false;
  // The last to come goes on in an order like the others'.
  for (int t = 0; t < count_; ++t)
    if (t != self_) wake(t);
  const int self = self_;
  wake(self);
  threads_[static_cast<size_t>(self)].site = site;
  fibers()[static_cast<size_t>(self)].pause();
  races::after(order);
  return votes_;
}

uint64_t Block::warp(WarpOp op, Site site, uint32_t mask, uint64_t value, int source) {
  const int self = self_, lane = self % kLanes;
  Warp& warp = warps_[static_cast<size_t>(self / kLanes)];
  Thread& thread = threads_[static_cast<size_t>(self)];
  const int lanes = std::min(kLanes, count_ - self / kLanes * kLanes);
  const uint32_t there = lanes == kLanes ? ~0u : (1u << lanes) - 1;
  if (!(mask >> lane & 1)) fail(site, "a warp operation whose mask leaves out the caller");
  if (mask & (~there | warp.done))
    fail(site, "a warp operation whose mask names lanes that have ended");
  thread.request = {op, site, mask, value, source};
  // Of these operations __syncwarp alone orders memory.
  void* const order = warp.order();
  if (op == WarpOp::sync) races::before(order);
  warp.waiting |= 1u << lane;
  if ((warp.waiting & mask) == mask) {
    answerWarp(self / kLanes, mask);
    wake(self);
    thread.site = site;
    fibers()[static_cast<size_t>(self)].pause();
  } else {
    wait(State::warp, site);
  }
  if (op == WarpOp::sync) races::after(order);
  return thread.answer;
}

// All lanes of the mask have come: the last one, which runs, answers for all.
void Block::answerWarp(int warp, uint32_t mask) {
  Thread* const lanes = threads_.data() + warp * kLanes;
  const Request& own = threads_[static_cast<size_t>(self_)].request;
  uint64_t ballot = 0;
  for (int l = 0; l < kLanes; ++l) {
    if (!(mask >> l & 1)) continue;
    const Request& request = lanes[l].request;
    if (request.mask != mask || request.op != own.op || !(request.site == own.site))
      fail(own.site,
           "a warp operation that other lanes of its mask do not take part in: one is at " +
               text(request.site));
    if (request.value) ballot |= uint64_t{1} << l;
  }
  for (int l = 0; l < kLanes; ++l) {
    if (!(mask >> l & 1)) continue;
    Thread& thread = lanes[l];
    thread.answer = ballot;
    if (own.op == WarpOp::shuffle) {
      const int source = thread.request.source;
      if (!(mask >> source & 1)) fail(own.site, "a shuffle from a lane outside its mask");
      thread.answer = lanes[source].request.value;
    }
  }
  warps_[static_cast<size_t>(warp)].waiting &= ~mask;
  ++warps_[static_cast<size_t>(warp)].turn;
  for (int l = 0; l < kLanes; ++l)
    if ((mask >> l & 1) && warp * kLanes + l != self_) wake(warp * kLanes + l);
}

void* Block::shared(size_t bytes, Site site) {
  races::after(&regions_);
  for (Region& region : regions_)  // of another size: another instance of a template
    if (region.site == site && region.bytes == bytes) return region.data();
  size_t total = bytes;
  for (const Region& region : regions_) total += region.bytes;
  if (total > kSharedBytes) fail(site, "more than 48 KiB of shared memory");
#if defined(__SANITIZE_ADDRESS__)
  regions_.push_back({site, bytes, std::vector<char>(bytes + kBorder)});  // red zones do the rest
#else
  regions_.push_back({site, bytes, std::vector<char>(bytes + 2 * kBorder)});
#endif
  Region& region = regions_.back();
  std::memset(region.memory.data(), kGuard, region.memory.size());
  std::memset(region.data(), kPoison, bytes);
  races::before(&regions_);
  return region.data();
}

void* Block::dynamicShared(Site) { return shared(dynamicBytes_, {"dynamic shared memory", 0}); }

void Block::checkBorders() {
  for (Region& region : regions_)
    for (const char& byte : region.memory) {
      const size_t at = static_cast<size_t>(&byte - region.memory.data());
      const bool border = at < kBorder || at >= kBorder + region.bytes;
      if (border && static_cast<unsigned char>(byte) != kGuard)
        fault_ = "a write beyond shared memory declared at " + text(region.site);
    }
}

std::string Block::nameOf(int thread) const {
  return "thread " + std::to_string(thread) + " of block (" + std::to_string(blockIdx.x) + ", " +
         std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + ")";
}

void launch(const char* kernel, dim3 grid, dim3 block, size_t sharedBytes, const Body& body) {
  const auto limit = [&](bool kept, const char* what) {
    if (!kept) throw Fault(std::string(kernel) + ": launched with " + what);
  };
  limit(grid.count() > 0 && block.count() > 0, "nothing to run");
  limit(block.count() <= 1024 && block.z <= 64, "more than 1024 threads a block");
  limit(grid.x < 1u << 31 && grid.y < 1u << 16 && grid.z < 1u << 16, "too large a grid");
  limit(sharedBytes <= kSharedBytes, "more than 48 KiB of shared memory");
  const Order order = orderOfLaunch();
  gridDim = grid;
  Block runner(kernel, block, sharedBytes, order.seed, order.warpPriority);
  // Blocks from a start of their own, forwards or backwards.
  const uint64_t count = grid.count(), start = mix(order.seed) % count;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t b = (start + (order.seed & 2 ? i : count - i)) % count;
    runner.run({static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                static_cast<unsigned>(b / (uint64_t{grid.x} * grid.y))},
               body);
  }
  current = nullptr;
  checkAllocations(kernel);
}

}  // namespace emulation
}  // namespace flatmin
