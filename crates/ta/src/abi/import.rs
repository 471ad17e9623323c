//! The imports as [`interface`](crate::interface) states them. Addresses and lengths are 32 bits wide on this target.

#[link(wasm_import_module = "tee")]
unsafe extern "C" {
    pub(super) fn take(to: *mut u8, len: usize) -> u32;
    pub(super) fn output(from: *const u8, len: usize) -> u32;
    pub(super) fn input_read(to: *mut u8, len: usize) -> u64;
    pub(super) fn output_write(from: *const u8, len: usize) -> u32;
    pub(super) safe fn client() -> u64;
    pub(super) safe fn cancelled() -> u32;
    pub(super) safe fn commit() -> u32;
    pub(super) fn object_create(
        storage: u32,
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u32;
    pub(super) fn object_size(storage: u32, name: *const u8, name_len: usize) -> u64;
    pub(super) fn object_read(storage: u32, name: *const u8, name_len: usize) -> u64;
    pub(super) fn object_read_at(
        storage: u32,
        name: *const u8,
        name_len: usize,
        offset: u64,
        len: usize,
    ) -> u64;
    pub(super) fn object_write(
        storage: u32,
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u32;
    pub(super) fn object_write_at(
        storage: u32,
        name: *const u8,
        name_len: usize,
        offset: u64,
        data: *const u8,
        data_len: usize,
    ) -> u32;
    pub(super) fn object_truncate(storage: u32, name: *const u8, name_len: usize, size: u64)
    -> u32;
    pub(super) fn object_rename(
        storage: u32,
        name: *const u8,
        name_len: usize,
        new: *const u8,
        new_len: usize,
    ) -> u32;
    pub(super) fn object_delete(storage: u32, name: *const u8, name_len: usize) -> u32;
    pub(super) safe fn object_list(storage: u32) -> u64;
    pub(super) fn personalization_read(name: *const u8, name_len: usize) -> u64;
    pub(super) safe fn personalization_list() -> u64;
    pub(super) fn key_generate(name: *const u8, name_len: usize, algorithm: i32) -> u32;
    pub(super) fn key_derive(
        name: *const u8,
        name_len: usize,
        algorithm: i32,
        info: *const u8,
        info_len: usize,
    ) -> u32;
    pub(super) fn key_agree(
        name: *const u8,
        name_len: usize,
        algorithm: i32,
        own: *const u8,
        own_len: usize,
        peer: *const u8,
        peer_len: usize,
        info: *const u8,
        info_len: usize,
    ) -> u32;
    pub(super) fn key_import(
        name: *const u8,
        name_len: usize,
        personalization: *const u8,
        personalization_len: usize,
    ) -> u32;
    pub(super) fn key_public(name: *const u8, name_len: usize) -> u64;
    pub(super) fn key_sign(
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u64;
    pub(super) fn key_verify(
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
        signature: *const u8,
        signature_len: usize,
    ) -> u32;
    pub(super) fn key_mac(
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u64;
    pub(super) fn key_mac_verify(
        name: *const u8,
        name_len: usize,
        data: *const u8,
        data_len: usize,
        mac: *const u8,
        mac_len: usize,
    ) -> u32;
    pub(super) fn key_seal(
        name: *const u8,
        name_len: usize,
        associated: *const u8,
        associated_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u64;
    pub(super) fn key_open(
        name: *const u8,
        name_len: usize,
        associated: *const u8,
        associated_len: usize,
        data: *const u8,
        data_len: usize,
    ) -> u64;
    pub(super) fn key_delete(name: *const u8, name_len: usize) -> u32;
    pub(super) safe fn key_list() -> u64;
    pub(super) fn verify(
        key: *const u8,
        key_len: usize,
        data: *const u8,
        data_len: usize,
        signature: *const u8,
        signature_len: usize,
    ) -> u32;
    pub(super) fn digest(algorithm: i32, data: *const u8, data_len: usize) -> u64;
    pub(super) fn attest(nonce: *const u8, nonce_len: usize, key: *const u8, key_len: usize)
    -> u64;
    pub(super) fn call(
        service: *const u8,
        service_len: usize,
        command: u32,
        input: *const u8,
        input_len: usize,
    ) -> u64;
    pub(super) fn random(to: *mut u8, len: usize);
    pub(super) safe fn time() -> u64;
    pub(super) safe fn time_system() -> u64;
    pub(super) safe fn time_persistent() -> u64;
    pub(super) safe fn time_persistent_set(seconds: u64) -> u32;
    pub(super) fn log(text: *const u8, len: usize);
}
