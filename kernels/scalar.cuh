// The only home of complex arithmetic on the GPU.
#pragma once

template <class R>
struct alignas(2 * sizeof(R)) Complex {
  R re, im;
};

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

// x * a + y * b for real x and y
template <class R>
__device__ __forceinline__ Complex<R> combine_real(R x, Complex<R> a, R y, Complex<R> b) {
  count_multiply_adds(4);
  return {x * a.re + y * b.re, x * a.im + y * b.im};
}

// x * a + i * y * b for real x and y
template <class R>
__device__ __forceinline__ Complex<R> combine_crossed(R x, Complex<R> a, R y, Complex<R> b) {
  count_multiply_adds(4);
  return {x * a.re - y * b.im, x * a.im + y * b.re};
}

// |a|^2, in double precision whatever that of `a`
template <class R>
__device__ __forceinline__ double weight(Complex<R> a) {
  return double(a.re) * double(a.re) + double(a.im) * double(a.im);
}
