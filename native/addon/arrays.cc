#include "addon/arrays.h"

#include "addon/errors.h"

namespace flatmin {
namespace {

const char* nameOf(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array:
      return "a Float32Array";
    case napi_float64_array:
      return "a Float64Array";
    case napi_int32_array:
      return "an Int32Array";
    case napi_uint16_array:
      return "a Uint16Array";
    default:
      return "a Uint8Array";
  }
}

// Not by way of Napi::TypedArray, whose buffer may not be a SharedArrayBuffer.
ArrayView<void> view(const Napi::Value& value, napi_typedarray_type wanted, const char* name,
                     napi_value* buffer) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const bool known = value.IsTypedArray() &&
                     napi_get_typedarray_info(value.Env(), value, &type, &length, &data, buffer,
                                              nullptr) == napi_ok &&
                     type == wanted;
  if (!known)
    throw codedError(value.Env(), "FLATMIN_ARGUMENT",
                     std::string(name) + " must be " + nameOf(wanted));
  return {data, static_cast<int64_t>(length)};
}

template <class T>
constexpr napi_typedarray_type kTypeOf = napi_uint8_array;
template <>
constexpr napi_typedarray_type kTypeOf<float> = napi_float32_array;
template <>
constexpr napi_typedarray_type kTypeOf<double> = napi_float64_array;
template <>
constexpr napi_typedarray_type kTypeOf<int32_t> = napi_int32_array;

napi_typedarray_type typeFor(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return napi_float32_array;
    case DType::bf16:
      return napi_uint16_array;
    case DType::i32:
      return napi_int32_array;
    case DType::u8:
      return napi_uint8_array;
  }
  return napi_uint8_array;
}

}  // namespace

template <class T>
ArrayView<T> viewOf(const Napi::Value& value, const char* name) {
  const ArrayView<void> array = view(value, kTypeOf<T>, name, nullptr);
  return {static_cast<T*>(array.data), array.size};
}
template ArrayView<float> viewOf(const Napi::Value&, const char*);
template ArrayView<double> viewOf(const Napi::Value&, const char*);
template ArrayView<int32_t> viewOf(const Napi::Value&, const char*);
template ArrayView<uint8_t> viewOf(const Napi::Value&, const char*);

ArrayView<char> bytesOf(const Napi::Value& value, DType dtype, const char* name, bool shared) {
  napi_value buffer = nullptr;
  const ArrayView<void> array = view(value, typeFor(dtype), name, shared ? &buffer : nullptr);
  if (shared && Napi::Value(value.Env(), buffer).IsArrayBuffer())
    throw codedError(value.Env(), "FLATMIN_ARGUMENT", "run() takes arrays on SharedArrayBuffers");
  return {static_cast<char*>(array.data), array.size * bytesPer(dtype)};
}

}  // namespace flatmin
