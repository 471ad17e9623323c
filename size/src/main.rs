//! What is left of `cose`, `suit` and `teep` on a microcontroller.
//!
//! The image is linked as firmware is, and measured by `scripts/size`; it is never run. Its entry point
//! receives the platform and a [`Job`](device::Job) from nowhere: the compiler can't know which, so that all
//! that a job reaches stays in the image, and nothing else does.

#![no_std]
#![no_main]

extern crate alloc;

#[cfg(feature = "author")]
mod author;
mod device;

use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
};

/// What a device does in its main loop.
#[unsafe(no_mangle)]
pub fn _start(device: &mut device::Platform<'_>, job: device::Job<'_>) {
    device.run(job);
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The memory of the platform's C library, which is no part of the measure.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

unsafe extern "C" {
    fn memalign(alignment: usize, size: usize) -> *mut u8;
    fn realloc(memory: *mut u8, size: usize) -> *mut u8;
    fn free(memory: *mut u8);
}

// SAFETY: this is how C's heap is used; nothing here is run.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { memalign(layout.align(), layout.size()) }
    }

    unsafe fn realloc(&self, memory: *mut u8, _: Layout, size: usize) -> *mut u8 {
        unsafe { realloc(memory, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        unsafe { free(memory) }
    }
}
