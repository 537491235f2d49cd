/* A 64-bit content hash for weights, prompts and pairs. Not cryptographic; stable across machines (little-endian
 * input). */
#ifndef PBKD_BASE_HASH_H
#define PBKD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0x9AE16A3B2F90404Full

/* Fold n bytes into a running hash; start from HASH_START. */
uint64_t hash_bytes(uint64_t h, const void *data, size_t n);
/* Hash of a NUL-terminated text. */
uint64_t hash_text(const char *s);

#endif
