/* Fuzzing JSON and JSONL. Beyond not crashing, what is accepted must survive printing and reading again: nothing was
 * bent on the way in (cut strings, doubled keys, numbers beyond a double). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_row(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    (void)ctx;
    const char *s;
    double n;
    struct err ignored;
    if (!cJSON_IsObject(obj) || !where[0]) abort();
    if (json_get_string(obj, "prompt", where, &s, &ignored) && strlen(s) > 1u << 30) return err_set(e, "long");
    json_get_number(obj, "id", where, &n, &ignored);
    return true;
}

static void print_and_read_again(const cJSON *v) {
    struct err e;
    char *text = cJSON_PrintUnformatted(v);
    if (!text) return;
    cJSON *again = json_parse(text, strlen(text), "again", &e);
    if (!again || !cJSON_Compare(v, again, 1)) abort();
    cJSON_Delete(again);
    cJSON_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {""};
    if (!jsonl_each_memory("fuzz.jsonl", (const char *)data, size, read_row, NULL, &e) && !e.msg[0]) abort();
    e.msg[0] = '\0';
    cJSON *v = json_parse((const char *)data, size, "fuzz.json", &e);
    if (v)
        print_and_read_again(v);
    else if (!e.msg[0])
        abort();
    cJSON_Delete(v);
    return 0;
}
