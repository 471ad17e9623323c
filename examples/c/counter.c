/*
 * A Trusted Application in C: a counter that only goes up, and that vouches for what it counted.
 *
 *   command  input                output
 *   1        nothing              the count after counting one more: 8 bytes, big-endian, and their MAC, 32 bytes
 *   2        nothing              the count: the same
 *   3        what 1 or 2 told     nothing; TEE_ERROR_MAC_INVALID if this counter never told it
 *
 * SPDX-License-Identifier: Apache-2.0 OR MIT
 */
#include "tee.h"

enum { COUNT_LEN = 8, MAC_LEN = 32, STATEMENT_LEN = COUNT_LEN + MAC_LEN };

static const char OBJECT[] = "count";
static const char KEY[] = "counter";

#define TEXT(text) (text), (uint32_t)(sizeof(text) - 1)

/* The count, which the object holds as it is told: 8 bytes, big-endian. */
static TEE_Result read_count(uint8_t count[COUNT_LEN]) {
    TEE_Answer answer = tee_object_read(TEE_STORAGE_PRIVATE, TEXT(OBJECT));
    switch (tee_answer_code(answer)) {
    case TEE_SUCCESS:
        if (tee_answer_len(answer) != COUNT_LEN) return TEE_ERROR_CORRUPT_OBJECT;
        return tee_take(count, COUNT_LEN);
    case TEE_ERROR_ITEM_NOT_FOUND:
        for (int at = 0; at < COUNT_LEN; at++) count[at] = 0;
        return TEE_SUCCESS;
    default:
        return tee_answer_code(answer);
    }
}

static TEE_Result count_one_more(void) {
    uint8_t count[COUNT_LEN];
    TEE_Result result = read_count(count);
    if (result != TEE_SUCCESS) return result;
    int at = COUNT_LEN;
    do {
        if (at == 0) return TEE_ERROR_OVERFLOW;
        at--;
    } while (++count[at] == 0);
    return tee_object_write(TEE_STORAGE_PRIVATE, TEXT(OBJECT), count, COUNT_LEN);
}

/* The count and its MAC, as the output of the command. */
static TEE_Result tell(void) {
    uint8_t statement[STATEMENT_LEN];
    TEE_Result result = read_count(statement);
    if (result != TEE_SUCCESS) return result;
    TEE_Answer mac = tee_key_mac(TEXT(KEY), statement, COUNT_LEN);
    if (tee_answer_code(mac) != TEE_SUCCESS) return tee_answer_code(mac);
    if (tee_answer_len(mac) != MAC_LEN) return TEE_ERROR_GENERIC;
    result = tee_take(statement + COUNT_LEN, MAC_LEN);
    if (result != TEE_SUCCESS) return result;
    return tee_output(statement, STATEMENT_LEN);
}

static TEE_Result verify(uint32_t input_len) {
    uint8_t statement[STATEMENT_LEN];
    if (input_len != STATEMENT_LEN) return TEE_ERROR_BAD_FORMAT;
    TEE_Result result = tee_take(statement, STATEMENT_LEN);
    if (result != TEE_SUCCESS) return result;
    return tee_key_mac_verify(TEXT(KEY), statement, COUNT_LEN, statement + COUNT_LEN, MAC_LEN);
}

void tee_abi_v1(void) {}

TEE_Result tee_create(void) {
    TEE_Result result = tee_key_generate(TEXT(KEY), TEE_ALGORITHM_HMAC_256);
    /* The first instance made it. */
    return result == TEE_ERROR_ACCESS_CONFLICT ? TEE_SUCCESS : result;
}

TEE_Result tee_open_session(uint32_t input_len) {
    (void)input_len;
    return TEE_SUCCESS;
}

TEE_Result tee_invoke_command(uint32_t command, uint32_t input_len) {
    if (command == 3) return verify(input_len);
    if (command != 1 && command != 2) return TEE_ERROR_NOT_SUPPORTED;
    if (input_len != 0) return TEE_ERROR_BAD_FORMAT;
    if (command == 1) {
        TEE_Result result = count_one_more();
        if (result != TEE_SUCCESS) return result;
    }
    return tell();
}

void tee_close_session(void) {}

void tee_destroy(void) {}
