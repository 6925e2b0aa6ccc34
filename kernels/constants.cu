// The constants of `run_pass`, made on the card: most are products of a few numbers, of which there are far fewer.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// Multiplies: constants[c] of a set is the product of its numbers[which[k]] for begin[c] <= k < begin[c + 1].
//
// Launch: in x any number of blocks and threads, each of which takes every (gridDim.x * blockDim.x)-th of `count` constants;
// in y the sets. Those of set y begin at constants[y * count], its numbers at numbers[y * numbers_each].
template <class R>
__global__ void make_constants(Complex<R>* constants, Index count, const Complex<double>* numbers, Index numbers_each,
                               const unsigned* begin, const unsigned* which) {
  const Complex<double>* const own = numbers + blockIdx.y * numbers_each;
  for_each_number(c, count) {
    Complex<double> product = {1, 0};
    for (unsigned k = begin[c]; k < begin[c + 1]; ++k) product = multiply(product, read_global(own, which[k]));
    write_global(constants, blockIdx.y * count + c, (Complex<R>{R(product.re), R(product.im)}));
  }
}
