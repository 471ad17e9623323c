//! The imports, with numbers for addresses: nothing is checked on this side.

#![expect(
    unsafe_code,
    reason = "an attacker passes whatever it likes; see the crate's documentation"
)]

macro_rules! imports {
    ($($(#[$doc:meta])* fn $name:ident($($parameter:ident: $ty:ty),*) $(-> $result:ty)?;)*) => {
        mod import {
            #[link(wasm_import_module = "tee")]
            unsafe extern "C" {
                $(pub(super) fn $name($($parameter: $ty),*) $(-> $result)?;)*
            }
        }

        $(
            pub(crate) fn $name($($parameter: $ty),*) $(-> $result)? {
                // SAFETY: none. The TEE has to refuse what would harm it; what it writes into this TA's own memory is the
                // TA's own loss.
                unsafe { import::$name($($parameter),*) }
            }
        )*
    };
}

imports! {
    fn take(to: u32, len: u32) -> u32;
    fn output(from: u32, len: u32) -> u32;
    fn input_read(to: u32, len: u32) -> u64;
    fn output_write(from: u32, len: u32) -> u32;
    fn client() -> u64;
    fn cancelled() -> u32;
    fn commit() -> u32;
    fn object_read(storage: u32, name: u32, name_len: u32) -> u64;
    fn object_read_at(storage: u32, name: u32, name_len: u32, offset: u64, len: u32) -> u64;
    fn object_write(storage: u32, name: u32, name_len: u32, data: u32, data_len: u32) -> u32;
    fn object_write_at(storage: u32, name: u32, name_len: u32, offset: u64, data: u32, data_len: u32) -> u32;
    fn object_truncate(storage: u32, name: u32, name_len: u32, size: u64) -> u32;
    fn object_rename(storage: u32, name: u32, name_len: u32, new: u32, new_len: u32) -> u32;
    fn object_delete(storage: u32, name: u32, name_len: u32) -> u32;
    fn object_list(storage: u32) -> u64;
    fn personalization_read(name: u32, name_len: u32) -> u64;
    fn personalization_list() -> u64;
    fn key_generate(name: u32, name_len: u32, algorithm: i32) -> u32;
    fn key_derive(name: u32, name_len: u32, algorithm: i32, info: u32, info_len: u32) -> u32;
    fn key_agree(name: u32, name_len: u32, algorithm: i32, own: u32, own_len: u32, peer: u32, peer_len: u32, info: u32, info_len: u32) -> u32;
    fn key_import(name: u32, name_len: u32, personalization: u32, personalization_len: u32) -> u32;
    fn key_public(name: u32, name_len: u32) -> u64;
    fn key_sign(name: u32, name_len: u32, data: u32, data_len: u32) -> u64;
    fn key_mac(name: u32, name_len: u32, data: u32, data_len: u32) -> u64;
    fn key_seal(name: u32, name_len: u32, associated: u32, associated_len: u32, data: u32, data_len: u32) -> u64;
    fn key_open(name: u32, name_len: u32, associated: u32, associated_len: u32, data: u32, data_len: u32) -> u64;
    fn key_delete(name: u32, name_len: u32) -> u32;
    fn key_list() -> u64;
    fn digest(algorithm: i32, data: u32, data_len: u32) -> u64;
    fn attest(nonce: u32, nonce_len: u32, key: u32, key_len: u32) -> u64;
    fn call(service: u32, service_len: u32, command: u32, input: u32, input_len: u32) -> u64;
    fn random(to: u32, len: u32);
    fn time() -> u64;
    fn time_persistent_set(seconds: u64) -> u32;
    fn log(text: u32, len: u32);
}

/// A byte of memory, wherever that is.
pub(crate) fn peek(address: u32) -> u8 {
    // SAFETY: none; outside the memory WebAssembly traps.
    unsafe { core::ptr::read_volatile(address as *const u8) }
}

/// Grows the memory by so many pages of 64 KiB; `None` if the TEE refuses. Tells where the new pages begin.
pub(crate) fn grow(pages: u32) -> Option<u32> {
    match core::arch::wasm32::memory_grow(0, pages as usize) {
        usize::MAX => None,
        before => Some(before as u32 * 65_536),
    }
}

/// Bytes of memory.
pub(crate) fn memory_len() -> u32 {
    core::arch::wasm32::memory_size(0) as u32 * 65_536
}
