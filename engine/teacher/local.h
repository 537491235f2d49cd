/* The local teacher: a GGUF model in this process, which lends its probabilities too. */
#ifndef PBKD_TEACHER_LOCAL_H
#define PBKD_TEACHER_LOCAL_H

#include "engine/teacher/teacher.h"

extern const struct teacher_ops TEACHER_LOCAL;

#endif
