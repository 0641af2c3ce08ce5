// Streams, events and graphs: work waits in its stream until someone waits for it, so that whoever
// forgets to wait sees it. The default stream runs everything at once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <type_traits>
#include <vector>

#include "block.h"

using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> works;
};

namespace flatmin {
namespace emulation {

struct Stream {
  int device;
  std::deque<Work> waiting;
  int64_t asked = 0, done = 0;
  CUgraph_st* capture = nullptr;  // takes what comes meanwhile
};

struct Event {
  Stream* stream = nullptr;
  int64_t after = 0;  // works of the stream
};

// The device of this host thread.
int currentDevice();

// At its turn; while the stream is captured, whenever the graph is launched. False for a stream of
// another device than the current one.
bool enqueue(Stream* stream, Work work);

// Runs what waits, up to and including work number `upTo`. A Fault ends the stream's work, and its
// text is the next error's.
bool drain(Stream& stream, int64_t upTo);

// Of the last work that failed on this host thread.
const char* lastFault();

// On this host thread.
bool isCapturing();

template <class T>
struct AsGiven {
  using type = T;
};

// Arguments are converted here, at the launch, as CUDA does.
template <class... P>
void launch(const char* name, dim3 grid, dim3 block, size_t sharedBytes, Stream* stream,
            void (*kernel)(P...), typename AsGiven<P>::type... arguments) {
  const bool taken = enqueue(
      stream, [=] { launch(name, grid, block, sharedBytes, Body([=] { kernel(arguments...); })); });
  if (!taken) throw Fault(std::string(name) + ": launched on a stream of another device");
}

}  // namespace emulation
}  // namespace flatmin
