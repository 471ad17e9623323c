/*
 * The interface of Trusted Applications, version 1, for C.
 *
 * What each function does is said in the documentation of the Rust module tamarack_ta::interface (crates/ta/src/interface.rs);
 * a test holds this file against it. Build with clang for wasm32, without a C library: see README.md in this folder.
 *
 * SPDX-License-Identifier: Apache-2.0 OR MIT
 */
#ifndef TEE_H
#define TEE_H

#include <stdint.h>

#define TEE_ABI_VERSION 1

/* --- Result codes, those of GlobalPlatform ------------------------------------------------------------------------ */

typedef uint32_t TEE_Result;

#define TEE_SUCCESS 0x00000000
#define TEE_ERROR_CORRUPT_OBJECT 0xF0100001
#define TEE_ERROR_STORAGE_NOT_AVAILABLE 0xF0100003
#define TEE_ERROR_CIPHERTEXT_INVALID 0xF0100006
#define TEE_ERROR_GENERIC 0xFFFF0000
#define TEE_ERROR_ACCESS_DENIED 0xFFFF0001
#define TEE_ERROR_CANCEL 0xFFFF0002
#define TEE_ERROR_ACCESS_CONFLICT 0xFFFF0003
#define TEE_ERROR_EXCESS_DATA 0xFFFF0004
#define TEE_ERROR_BAD_FORMAT 0xFFFF0005
#define TEE_ERROR_BAD_PARAMETERS 0xFFFF0006
#define TEE_ERROR_BAD_STATE 0xFFFF0007
#define TEE_ERROR_ITEM_NOT_FOUND 0xFFFF0008
#define TEE_ERROR_NOT_IMPLEMENTED 0xFFFF0009
#define TEE_ERROR_NOT_SUPPORTED 0xFFFF000A
#define TEE_ERROR_NO_DATA 0xFFFF000B
#define TEE_ERROR_OUT_OF_MEMORY 0xFFFF000C
#define TEE_ERROR_BUSY 0xFFFF000D
#define TEE_ERROR_COMMUNICATION 0xFFFF000E
#define TEE_ERROR_SECURITY 0xFFFF000F
#define TEE_ERROR_SHORT_BUFFER 0xFFFF0010
#define TEE_ERROR_OVERFLOW 0xFFFF300F
#define TEE_ERROR_TARGET_DEAD 0xFFFF3024
#define TEE_ERROR_STORAGE_NO_SPACE 0xFFFF3041
#define TEE_ERROR_MAC_INVALID 0xFFFF3071
#define TEE_ERROR_SIGNATURE_INVALID 0xFFFF3072
#define TEE_ERROR_TIME_NOT_SET 0xFFFF5000
#define TEE_ERROR_TIME_NEEDS_RESET 0xFFFF5001

/* --- Limits and numbers ------------------------------------------------------------------------------------------- */

#define TEE_MAX_NAME_LEN 64
#define TEE_MAX_SERVICE_LEN 324
#define TEE_MAX_LOG_LEN 256
#define TEE_CANCEL_GRACE_MS 500

#define TEE_STORAGE_PRIVATE 0
#define TEE_STORAGE_SHARED 1

#define TEE_ALGORITHM_ESP256 (-9)
#define TEE_ALGORITHM_ED25519 (-19)
#define TEE_ALGORITHM_HMAC_256 5
#define TEE_ALGORITHM_A128GCM 1
#define TEE_ALGORITHM_A256GCM 3
#define TEE_ALGORITHM_CHACHA20_POLY1305 24
#define TEE_ALGORITHM_ECDH_P256 (-25)
#define TEE_ALGORITHM_ECDH_X25519 (-65537)
#define TEE_ALGORITHM_SHA_256 (-16)
#define TEE_ALGORITHM_SHA_384 (-43)
#define TEE_ALGORITHM_SHA_512 (-44)

/* --- Imports ------------------------------------------------------------------------------------------------------ */

#define TEE_IMPORT(name) __attribute__((import_module("tee"), import_name(#name))) extern

/* What functions answer that lay bytes on the tray: a result code, and how many bytes. */
typedef uint64_t TEE_Answer;

static inline TEE_Result tee_answer_code(TEE_Answer answer) { return (TEE_Result)(answer >> 32); }
static inline uint32_t tee_answer_len(TEE_Answer answer) { return (uint32_t)answer; }

TEE_IMPORT(take) TEE_Result tee_take(void *to, uint32_t len);
TEE_IMPORT(output) TEE_Result tee_output(const void *from, uint32_t len);
TEE_IMPORT(input_read) TEE_Answer tee_input_read(void *to, uint32_t len);
TEE_IMPORT(output_write) TEE_Result tee_output_write(const void *from, uint32_t len);
TEE_IMPORT(client) TEE_Answer tee_client(void);
TEE_IMPORT(cancelled) uint32_t tee_cancelled(void);
/* Keeps what the running command changed so far, whatever becomes of it; TEE_ERROR_BAD_STATE in tee_migrate. */
TEE_IMPORT(commit) TEE_Result tee_commit(void);

TEE_IMPORT(object_create) TEE_Result tee_object_create(
    uint32_t storage, const void *name, uint32_t name_len, const void *data, uint32_t data_len);
TEE_IMPORT(object_size) TEE_Answer tee_object_size(uint32_t storage, const void *name, uint32_t name_len);
TEE_IMPORT(object_read) TEE_Answer tee_object_read(uint32_t storage, const void *name, uint32_t name_len);
TEE_IMPORT(object_read_at) TEE_Answer tee_object_read_at(
    uint32_t storage, const void *name, uint32_t name_len, uint64_t offset, uint32_t len);
TEE_IMPORT(object_write) TEE_Result tee_object_write(
    uint32_t storage, const void *name, uint32_t name_len, const void *data, uint32_t data_len);
TEE_IMPORT(object_write_at) TEE_Result tee_object_write_at(
    uint32_t storage, const void *name, uint32_t name_len, uint64_t offset, const void *data, uint32_t data_len);
TEE_IMPORT(object_truncate) TEE_Result tee_object_truncate(
    uint32_t storage, const void *name, uint32_t name_len, uint64_t size);
TEE_IMPORT(object_rename) TEE_Result tee_object_rename(
    uint32_t storage, const void *name, uint32_t name_len, const void *new_name, uint32_t new_len);
TEE_IMPORT(object_delete) TEE_Result tee_object_delete(uint32_t storage, const void *name, uint32_t name_len);
TEE_IMPORT(object_list) TEE_Answer tee_object_list(uint32_t storage);

TEE_IMPORT(personalization_read) TEE_Answer tee_personalization_read(const void *name, uint32_t name_len);
TEE_IMPORT(personalization_list) TEE_Answer tee_personalization_list(void);

TEE_IMPORT(key_generate) TEE_Result tee_key_generate(const void *name, uint32_t name_len, int32_t algorithm);
TEE_IMPORT(key_derive) TEE_Result tee_key_derive(
    const void *name, uint32_t name_len, int32_t algorithm, const void *info, uint32_t info_len);
TEE_IMPORT(key_agree) TEE_Result tee_key_agree(
    const void *name, uint32_t name_len, int32_t algorithm, const void *own, uint32_t own_len,
    const void *peer, uint32_t peer_len, const void *info, uint32_t info_len);
TEE_IMPORT(key_import) TEE_Result tee_key_import(
    const void *name, uint32_t name_len, const void *personalization, uint32_t personalization_len);
TEE_IMPORT(key_public) TEE_Answer tee_key_public(const void *name, uint32_t name_len);
TEE_IMPORT(key_sign) TEE_Answer tee_key_sign(
    const void *name, uint32_t name_len, const void *data, uint32_t data_len);
TEE_IMPORT(key_verify) TEE_Result tee_key_verify(
    const void *name, uint32_t name_len, const void *data, uint32_t data_len,
    const void *signature, uint32_t signature_len);
TEE_IMPORT(key_mac) TEE_Answer tee_key_mac(const void *name, uint32_t name_len, const void *data, uint32_t data_len);
TEE_IMPORT(key_mac_verify) TEE_Result tee_key_mac_verify(
    const void *name, uint32_t name_len, const void *data, uint32_t data_len, const void *mac, uint32_t mac_len);
TEE_IMPORT(key_seal) TEE_Answer tee_key_seal(
    const void *name, uint32_t name_len, const void *associated, uint32_t associated_len,
    const void *data, uint32_t data_len);
TEE_IMPORT(key_open) TEE_Answer tee_key_open(
    const void *name, uint32_t name_len, const void *associated, uint32_t associated_len,
    const void *data, uint32_t data_len);
TEE_IMPORT(key_delete) TEE_Result tee_key_delete(const void *name, uint32_t name_len);
TEE_IMPORT(key_list) TEE_Answer tee_key_list(void);

TEE_IMPORT(verify) TEE_Result tee_verify(
    const void *key, uint32_t key_len, const void *data, uint32_t data_len,
    const void *signature, uint32_t signature_len);
TEE_IMPORT(digest) TEE_Answer tee_digest(int32_t algorithm, const void *data, uint32_t data_len);
TEE_IMPORT(attest) TEE_Answer tee_attest(const void *nonce, uint32_t nonce_len, const void *key, uint32_t key_len);
TEE_IMPORT(call) TEE_Answer tee_call(
    const void *service, uint32_t service_len, uint32_t command, const void *input, uint32_t input_len);

TEE_IMPORT(random) void tee_random(void *to, uint32_t len);
TEE_IMPORT(time) uint64_t tee_time(void);
TEE_IMPORT(time_system) uint64_t tee_time_system(void);
TEE_IMPORT(time_persistent) TEE_Answer tee_time_persistent(void);
TEE_IMPORT(time_persistent_set) TEE_Result tee_time_persistent_set(uint64_t seconds);
TEE_IMPORT(log) void tee_log(const void *text, uint32_t len);

/* --- Exports: the application defines them ------------------------------------------------------------------------ */

#define TEE_EXPORT(name) __attribute__((export_name(#name)))

TEE_EXPORT(tee_abi_v1) void tee_abi_v1(void);
TEE_EXPORT(tee_create) TEE_Result tee_create(void);
TEE_EXPORT(tee_open_session) TEE_Result tee_open_session(uint32_t input_len);
TEE_EXPORT(tee_invoke_command) TEE_Result tee_invoke_command(uint32_t command, uint32_t input_len);
TEE_EXPORT(tee_close_session) void tee_close_session(void);
TEE_EXPORT(tee_destroy) void tee_destroy(void);
/* This one is optional. */
TEE_EXPORT(tee_migrate) TEE_Result tee_migrate(uint32_t input_len);

#endif
