/* Fuzzing the safetensors reader: any bytes are refused with a message or read without leaving them. The tensor asked
 * for is one of the names in the seeds, in every length up to the file's. */
#include <stdlib.h>
#include <string.h>

#include "engine/formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"a", "b", "w"};
    struct err e = {""};
    struct st_file *f = st_open_memory("fuzz.safetensors", data, size, &e);
    if (!f) {
        if (!e.msg[0]) abort(); /* refused without a reason */
        return 0;
    }
    float *x = malloc(size + 1);
    for (size_t i = 0; x && i < sizeof names / sizeof names[0]; i++)
        for (size_t n = 0; n <= size / 4; n++)
            if (st_read_f32(f, names[i], x, n, &e) || strstr(e.msg, "missing")) break;
    free(x);
    st_close(f);
    return 0;
}
