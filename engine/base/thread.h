/* The calling thread's priority. */
#ifndef PBKD_BASE_THREAD_H
#define PBKD_BASE_THREAD_H

/* Give way to the rest of the program and to other programs: niceness `nice` where threads have one of their own
 * (Linux), else nothing. Being refused is harmless. */
void thread_set_nice(int nice);

#endif
