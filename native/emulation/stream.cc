#include "stream.h"

#include <utility>

#include "cuda_runtime.h"

namespace flatmin {
namespace emulation {

namespace {

thread_local int device = 0;
thread_local int captures = 0;
thread_local std::string fault;

}  // namespace

int currentDevice() { return device; }
bool isCapturing() { return captures > 0; }
const char* lastFault() { return fault.c_str(); }

bool enqueue(Stream* stream, Work work) {
  if (!stream) {
    work();
    return true;
  }
  if (stream->device != device) return false;
  if (stream->capture) {
    stream->capture->works.push_back(std::move(work));
  } else {
    stream->waiting.push_back(std::move(work));
    ++stream->asked;
  }
  return true;
}

bool drain(Stream& stream, int64_t upTo) {
  try {
    while (stream.done < upTo && !stream.waiting.empty()) {
      const Work work = std::move(stream.waiting.front());
      stream.waiting.pop_front();
      ++stream.done;
      work();
    }
  } catch (const Fault& caught) {
    stream.waiting.clear();
    stream.done = stream.asked;
    fault = caught.what();
    return false;
  }
  return true;
}

}  // namespace emulation
}  // namespace flatmin

using namespace flatmin::emulation;

cudaError_t cudaSetDevice(int chosen) {
  int count = 0;
  cudaGetDeviceCount(&count);
  if (chosen < 0 || chosen >= count) return cudaErrorInvalidDevice;
  device = chosen;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const cudaError_t failure = takeFailure();
  if (failure == cudaSuccess) *stream = new Stream{device, {}};
  return failure;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (isCapturing()) return cudaErrorStreamCaptureUnsupported;
  const cudaError_t failure = takeFailure();
  if (failure != cudaSuccess) return failure;
  return drain(*stream, stream->asked) ? cudaSuccess : cudaErrorLaunchFailure;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capture) return cudaErrorStreamCaptureUnsupported;
  stream->capture = new CUgraph_st;
  ++captures;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capture, nullptr);
  --captures;
  return takeFailure();
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long) {
  const cudaError_t failure = takeFailure();
  if (failure == cudaSuccess) *exec = new CUgraph_st(*graph);
  return failure;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const Work& work : exec->works)
    if (!enqueue(stream, work)) return cudaErrorInvalidResourceHandle;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return cudaGraphDestroy(exec); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (stream->device != device) return cudaErrorInvalidResourceHandle;
  if (stream->capture) return cudaErrorStreamCaptureUnsupported;
  *event = {stream, stream->asked};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (isCapturing()) return cudaErrorStreamCaptureUnsupported;
  if (!event->stream) return cudaSuccess;
  return drain(*event->stream, event->after) ? cudaSuccess : cudaErrorLaunchFailure;
}
