/* A model's configuration as keys of a GGUF file. Private to engine/model (model_io.c). */
#ifndef PBKD_MODEL_CONFIG_IO_H
#define PBKD_MODEL_CONFIG_IO_H

#include "engine/formats/gguf.h"
#include "engine/model/model.h"

/* The configuration of g, checked (model_config_check) and compared with the number of weights that the file really
 * holds, so that a small file cannot make anybody allocate a large model. Refuses by name what would change the
 * computation in a way that layer.c does not know. */
bool config_read(const struct gguf *g, struct model_config *c, struct err *e);
/* The same keys; type: of the matrices (quant.h). */
void config_write(struct gguf_writer *w, const struct model_config *c, uint32_t type);

#endif
