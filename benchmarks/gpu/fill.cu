// Fills an array with numbers that are spread evenly between -scale and scale. Each number depends only on its index, of
// which it is a hash: splitmix64's finalizer (Steele, Lea and Flood, 2014).

template <class R>
__global__ void fill(R* numbers, unsigned long long size, double scale) {
  const unsigned long long stride = 1ull * gridDim.x * blockDim.x;
  for (unsigned long long i = 1ull * blockIdx.x * blockDim.x + threadIdx.x; i < size; i += stride) {
    unsigned long long mixed = (i + 1) * 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
    mixed ^= mixed >> 31;
    numbers[i] = R(scale * (double(mixed >> 11) * 0x1p-52 - 1));
  }
}
