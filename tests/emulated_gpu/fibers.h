// A fiber: a function with a stack of its own that pauses in the middle and is resumed later, on the same or another thread.
//
// The plain build enters a fiber once through ucontext and then switches with _setjmp and _longjmp, which make no system call
// (glibc's checked longjmp refuses to change stacks: compile with -U_FORTIFY_SOURCE). The sanitized build uses swapcontext and
// says at every switch which stack comes next; AddressSanitizer would take the jump for a corrupted stack otherwise.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdlib>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_cpu {
namespace {

class Fiber {
 public:
  // body must not return: it runs, pauses, and runs again when resumed.
  explicit Fiber(void (*body)()) : body(body), stack(static_cast<char*>(std::malloc(stack_bytes))) {
    getcontext(&own);
    own.uc_stack.ss_sp = stack;
    own.uc_stack.ss_size = stack_bytes;
    own.uc_link = nullptr;
    makecontext(&own, enter, 0);
    own.uc_stack.ss_size = 0;  // or AddressSanitizer forgets, at each switch, what it knows of the frames on the stack
  }
  Fiber(const Fiber&) = delete;
  ~Fiber() { std::free(stack); }

#if defined(__SANITIZE_ADDRESS__)
  // Runs the fiber until it pauses.
  void resume() {
    running = this;
    void* fake_stack_here = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack_here, stack, stack_bytes);
    swapcontext(&resumer, &own);
    __sanitizer_finish_switch_fiber(fake_stack_here, nullptr, nullptr);
  }

  // Called on the fiber: goes back to where it was resumed.
  static void pause() {
    Fiber& self = *running;
    __sanitizer_start_switch_fiber(&self.fake_stack, self.resumer_stack, self.resumer_stack_bytes);
    swapcontext(&self.own, &self.resumer);
    __sanitizer_finish_switch_fiber(self.fake_stack, &self.resumer_stack, &self.resumer_stack_bytes);
  }
#else
  void resume() {
    running = this;
    if (_setjmp(resumer) != 0) return;
    if (entered) _longjmp(paused, 1);
    entered = true;
    setcontext(&own);
  }

  static void pause() {
    if (_setjmp(running->paused) == 0) _longjmp(running->resumer, 1);
  }
#endif

 private:
  static void enter() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &running->resumer_stack, &running->resumer_stack_bytes);
#endif
    running->body();
  }

  static constexpr size_t stack_bytes = 128 << 10;
  static inline Fiber* running = nullptr;

  void (*body)();
  char* stack;
  ucontext_t own{};
#if defined(__SANITIZE_ADDRESS__)
  ucontext_t resumer{};
  void* fake_stack = nullptr;
  const void* resumer_stack = nullptr;
  size_t resumer_stack_bytes = 0;
#else
  jmp_buf paused, resumer;
  bool entered = false;
#endif
};

}  // namespace
}  // namespace cuda_on_cpu
