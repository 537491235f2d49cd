/* The clock, for display and throughput figures only. Nothing in the engine decides by it (determinism). */
#ifndef PBKD_BASE_CLOCK_H
#define PBKD_BASE_CLOCK_H

double clock_seconds(void);       /* monotonic */
void clock_iso8601(char out[32]); /* wall time in UTC, for log lines and label events */

#endif
