// Complex arithmetic: no other CUDA file has any. R is the type of the real and the imaginary part: float or double.
#pragma once
#include "memory.cuh"

template <class R>
struct alignas(2 * sizeof(R)) Complex {
  R re, im;
};

// a * b
template <class R>
__device__ __forceinline__ Complex<R> multiply(Complex<R> a, Complex<R> b) {
  count_multiply_adds(4);
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// c + a * b
template <class R>
__device__ __forceinline__ Complex<R> multiply_add(Complex<R> a, Complex<R> b, Complex<R> c) {
  count_multiply_adds(4);
  return {c.re + a.re * b.re - a.im * b.im, c.im + a.re * b.im + a.im * b.re};
}

// c + x * b for real x
template <class R>
__device__ __forceinline__ Complex<R> add_real_multiple(Complex<R> c, R x, Complex<R> b) {
  count_multiply_adds(2);
  return {c.re + x * b.re, c.im + x * b.im};
}

// -a if the bit at `position` of `bits` is set, else a: the bit is combined with the sign.
template <class R>
__device__ __forceinline__ R negated_if_bit(R a, unsigned bits, int position) {
  union {
    R number;
    unsigned words[sizeof(R) / sizeof(unsigned)];
  } changed = {a};
  changed.words[sizeof(R) / sizeof(unsigned) - 1] ^= as_highest_bit(bits, position);
  return changed.number;
}

// conj(a) * b, in double precision whatever that of `a` and `b`
template <class R>
__device__ __forceinline__ Complex<double> conjugate_product(Complex<R> a, Complex<R> b) {
  return {double(a.re) * b.re + double(a.im) * b.im, double(a.re) * b.im - double(a.im) * b.re};
}

// a, in double precision
template <class R>
__device__ __forceinline__ Complex<double> in_double(Complex<R> a) {
  return {double(a.re), double(a.im)};
}

// c + conj(a) * b
template <class R>
__device__ __forceinline__ Complex<R> add_conjugate_product(Complex<R> c, Complex<R> a, Complex<R> b) {
  count_multiply_adds(4);
  return {c.re + a.re * b.re + a.im * b.im, c.im + a.re * b.im - a.im * b.re};
}

// |a|^2, in double precision whatever that of `a`
template <class R>
__device__ __forceinline__ double squared_modulus(Complex<R> a) {
  return double(a.re) * double(a.re) + double(a.im) * double(a.im);
}
