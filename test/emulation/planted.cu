// What the emulation has to catch: kernels with a bug each, beside the same without it, in 40
// thread orders; and how the runtime's failures come out. With an argument only that bug is run, or
// with "clean" none.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "cuda/base/check.h"
#include "cuda/device/device.h"
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"
#include "emulation/memory.h"
#include "program/program.h"

namespace flatmin {
namespace cuda {

// No op is run here.
const KernelEntry kKernels[] = {{nullptr, nullptr}};

namespace {

constexpr int kBlock = 96;
constexpr int kBlocks = 3;
constexpr int kSize = kBlock * kBlocks;

template <bool kBug>
__global__ void missingBarrier(float* y) {
  DYN_SHARED(float, tile);
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  tile[threadIdx.x] = y[i];
  if (!kBug) __syncthreads();
  y[i] = tile[kBlock - 1 - threadIdx.x];
}

// The second turn overwrites what others have not read yet.
template <bool kBug>
__global__ void missingSecondBarrier(float* y) {
  SHARED(float, tile, [kBlock]);
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int turn = 0; turn < 2; ++turn) {
    tile[threadIdx.x] = y[i] + static_cast<float>(turn);
    __syncthreads();
    y[i] = tile[(threadIdx.x + 1) % kBlock];
    if (!kBug) __syncthreads();
  }
}

template <bool kBug>
__global__ void guardOffByOne(float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) + 1;
  if (kBug ? i <= kSize : i < kSize) y[i] += 1;
}

template <bool kBug>
__global__ void divergentBarrier(float* y) {
  if (kBug && threadIdx.x >= 40) return;
  __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] += 1;
}

template <bool kBug>
__global__ void twoBarriers(float* y) {
  if (kBug && threadIdx.x % 2 == 0)
    __syncthreads();
  else
    __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] += 1;
}

template <bool kBug>
__global__ void misalignedVector(float* y) {
  const unsigned i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 4 >= kSize) return;
  const float4 v = load4(y + i + (kBug ? 1 : 0));
  store4(y + i, {v.w, v.z, v.y, v.x});
}

template <bool kBug>
__global__ void endedLanes(float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (kBug && threadIdx.x % 32 > 20) return;
  y[i] += __shfl_xor_sync(kAllLanes, y[i], 1);
}

template <bool kBug>
__global__ void beyondShared(float* y) {
  SHARED(float, tile, [kBlock]);
  float* const start = &tile[0];
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  start[threadIdx.x + (kBug ? 1 : 0)] = y[i];
  __syncthreads();
  y[i] = start[threadIdx.x];
}

template <bool kBug>
__global__ void tooManyThreads(float*) {}

struct Planted {
  const char* name;
  void (*clean)(float*);
  void (*bug)(float*);
  unsigned bugThreads;
  bool everyOrder;  // caught in each of the orders, not only in some
};

const Planted kPlanted[] = {
    {"missing barrier", missingBarrier<false>, missingBarrier<true>, kBlock, false},
    {"missing second barrier", missingSecondBarrier<false>, missingSecondBarrier<true>, kBlock,
     false},
    {"guard off by one", guardOffByOne<false>, guardOffByOne<true>, kBlock, true},
    {"divergent barrier", divergentBarrier<false>, divergentBarrier<true>, kBlock, true},
    {"two barriers", twoBarriers<false>, twoBarriers<true>, kBlock, true},
    {"misaligned vector", misalignedVector<false>, misalignedVector<true>, kBlock, true},
    {"ended lanes", endedLanes<false>, endedLanes<true>, kBlock, true},
    {"beyond shared memory", beyondShared<false>, beyondShared<true>, kBlock, true},
    {"too many threads", tooManyThreads<false>, tooManyThreads<true>, 2048, true},
};

int passed = 0, failed = 0;

void expect(bool holds, const std::string& what) {
  ++(holds ? passed : failed);
  if (!holds) std::printf("failed: %s\n", what.c_str());
}

// The values after one launch, or the fault.
std::string runOnce(void (*kernel)(float*), unsigned threads) {
  float* y = nullptr;
  CUDA_CHECK(cudaMalloc(&y, kSize * sizeof(float)));
  for (int i = 0; i < kSize; ++i) y[i] = static_cast<float>(i);
  std::string result;
  try {
    LAUNCH(kernel, kBlocks, threads, kBlock * sizeof(float), nullptr, y);
    result.assign(reinterpret_cast<const char*>(y), kSize * sizeof(float));
  } catch (const emulation::Fault& fault) {
    result = fault.what();
  }
  CUDA_CHECK(cudaFree(y));
  return result;
}

void testPlanted(const Planted& planted, bool bugs) {
  constexpr int kSeeds = 20;
  std::string example;
  int caught = 0;
  const std::string right = runOnce(planted.clean, kBlock);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (const bool warpPriority : {false, true}) {
      emulation::setOrder({seed, warpPriority});
      expect(runOnce(planted.clean, kBlock) == right, std::string("without ") + planted.name);
      if (!bugs) continue;
      const std::string result = runOnce(planted.bug, planted.bugThreads);
      if (result == right) continue;
      ++caught;
      example = result.size() == right.size() ? "another result" : result;
    }
  }
  if (!bugs) return;
  expect(planted.everyOrder ? caught == 2 * kSeeds : caught > 0, planted.name);
  std::printf("%s: caught in %d of %d orders: %s\n", planted.name, caught, 2 * kSeeds,
              example.c_str());
}

template <class Expected>
std::string messageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("of another type: ") + error.what();
  }
  return "nothing was thrown";
}

// What is recorded runs when it is asked for, each time anew; what must not be recorded is refused.
void testRecording(Device& device, bool bugs) {
  Queue& queue = *device.queue();
  const Memory memory(device, kSize * sizeof(float));
  float* const y = reinterpret_cast<float*>(memory.data());
  std::vector<float> got(kSize);
  const auto last = [&] {
    device.download(got.data(), memory.data(), memory.bytes());
    return got.back();
  };
  const std::unique_ptr<Recording> recording =
      queue.record([&] { LAUNCH(guardOffByOne<false>, kBlocks, kBlock, 0, queue.stream(), y); });
  expect(last() == 0, "recording runs nothing");
  recording->replay();
  recording->replay();
  expect(last() == 2, "a recording is replayed");
  const std::string refused = messageOf<DeviceLost>([&] { queue.record([&] { queue.wait(); }); });
  expect(refused.find("cudaErrorStreamCaptureUnsupported") == 0, "no waiting while recording");
  recording->replay();
  expect(last() == 3, "work goes on after a recording that failed");

  if (!bugs) return;
  LAUNCH(guardOffByOne<true>, kBlocks, kBlock, 0, queue.stream(), y);
  const std::string fault = messageOf<DeviceLost>([&] { queue.wait(); });
  expect(fault.find("a write beside a buffer") != std::string::npos,
         "a fault shows when it is waited for: " + fault);
}

void testRuntime(bool bugs) {
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const int64_t before = emulation::allocatedBytes();
  {
    const TensorType type{DType::f32, {5}};
    const std::shared_ptr<Store> store = openCuda(0), second = openCuda(1);
    expect(contains(messageOf<DeviceMissing>([] { openCuda(2); }), "there are 2 CUDA devices"),
           "a device that is not there");

    emulation::failNext(cudaErrorMemoryAllocation);
    const std::string memory = messageOf<OutOfMemory>([&] { store->declare("a", type); });
    expect(contains(memory, "20 B were asked for, cudaErrorMemoryAllocation") &&
               contains(memory, "cudaMalloc(&data") && contains(memory, "at device.cu:"),
           "out of memory, with expression, file and line: " + memory);
    store->declare("a", type);
    second->declare("a", type);

    const float given[] = {1, 2, 3, 4, 5};
    float got[5] = {};
    store->device->upload(store->at("a").data(), given, sizeof given);
    store->device->download(got, store->at("a").data(), sizeof got);
    expect(got[0] == 1 && got[4] == 5, "a buffer comes back");
    second->device->download(got, second->at("a").data(), sizeof got);
    expect(got[0] == 0 && got[4] == 0, "a buffer of another device is its own, and zeros");

    // Larger than both halves of the staging, and not a multiple of one.
    const TensorType large{DType::u8, {(5 << 20) / 2 + 7}};
    store->declare("large", large);
    std::vector<char> many(static_cast<size_t>(large.bytes())), back(many.size());
    for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<char>(i * 31 >> 3);
    store->device->upload(store->at("large").data(), many.data(), large.bytes());
    store->device->download(back.data(), store->at("large").data(), large.bytes());
    expect(back == many, "a large buffer comes back");

    emulation::failNext(cudaErrorIllegalAddress);
    expect(contains(messageOf<DeviceLost>([&] { store->device->queue()->wait(); }),
                    "cudaErrorIllegalAddress"),
           "a lost device");

    testRecording(*store->device, bugs);

    // A program with one bound buffer, its own status block, and no instruction.
    ProgramSpec spec;
    spec.buffers.push_back({{DType::i32, {8}}, PlaceKind::bound, 0, "status"});
    spec.status = 0;
    spec.slots = 1;
    Program program(spec, store);
    int32_t status[8] = {0, 0, 0, 0, 7, 0, 0, 0};
    const double rows[] = {1, 2, 3};
    const std::atomic<bool> abort{false};
    std::atomic<int64_t> done{0};
    program.bind(0, status);
    expect(program.run(rows, 3, -1, nullptr, abort, done) == 3 && status[4] == 7, "three steps");
    status[0] = 1;
    expect(program.run(rows, 3, -1, nullptr, abort, done) == 0 && program.stopped(),
           "a stop in the caller's array is seen on the device");
  }
  expect(emulation::allocatedBytes() == before, "all memory is given back");
}

}  // namespace
}  // namespace cuda
}  // namespace flatmin

int main(int count, char** arguments) {
  using namespace flatmin::cuda;
  const std::string only = count > 1 ? arguments[1] : "";
  for (const Planted& planted : kPlanted)
    if (only.empty() || only == "clean" || only == planted.name)
      testPlanted(planted, only != "clean");
  if (only.empty() || only == "clean") testRuntime(only.empty());
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
