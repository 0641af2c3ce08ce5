#include "addon/errors.h"

#include <new>
#include <system_error>

#include "program/device.h"

namespace flatmin {

Napi::Error codedError(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Error busyError(Napi::Env env) {
  return codedError(env, "FLATMIN_BUSY",
                    "a program is running on this store; await its run() first");
}

Napi::Error translated(Napi::Env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    return error;
  } catch (const OutOfMemory& error) {
    return codedError(env, "FLATMIN_MEMORY", error.what());
  } catch (const std::bad_alloc&) {
    return codedError(env, "FLATMIN_MEMORY",
                      "Out of memory. Help: use a smaller batch, model or dataset.");
  } catch (const std::system_error& error) {
    return codedError(env, "FLATMIN_MEMORY",
                      std::string("The system starts no thread for a run: ") + error.what() +
                          ". Help: raise its limit (ulimit -u, or the container's of pids).");
  } catch (const DeviceMissing& error) {
    return codedError(env, "FLATMIN_DEVICE", error.what());
  } catch (const DeviceLost& error) {
    return codedError(env, "FLATMIN_DEVICE_LOST", error.what());
  } catch (const std::exception& error) {
    return codedError(env, "FLATMIN_PROGRAM", error.what());
  }
}

}  // namespace flatmin
