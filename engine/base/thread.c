/* The calling thread's priority: see thread.h. */
#include "engine/base/thread.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void thread_set_nice(int nice) { (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice); }
#else
/* POSIX says that niceness belongs to the process; making the screen slower too would help nobody. */
void thread_set_nice(int nice) { (void)nice; }
#endif
