/* The pieces of a transformer layer that are not matrix products, forward and backward beside each other (after llm.c).
 * Rows are tokens; every function runs its rows through the pool and gives the same bits for any thread count.
 * Attention: attention.h. */
#ifndef PBKD_MATH_KERNELS_H
#define PBKD_MATH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x[t,:] = table[token[t],:]; table [n_vocab, d] */
void embed_forward(float *x, const float *table, const int32_t *token, int n_rows, int d);
/* dtable[index[t],:] += dx[t,:]; equal indices add up in order of t */
void embed_backward(float *dtable, const float *dx, const int32_t *index, int n_rows, int d);

/* x += residual where residual is not NULL; rstd[t] = 1/sqrt(mean(x[t]^2) + eps); y[t,j] = x[t,j] * rstd[t] * w[j].
 * x, y, residual [n_rows, d]; y may not be x; rstd may be NULL. */
void rmsnorm_forward(float *y, float *rstd, float *x, const float *residual, const float *w, int n_rows, int d,
                     float eps);
/* With xhat = x * rstd and g = dy * w: dx (+)= rstd * (g - xhat * mean(g * xhat)), dw += sum_t dy * xhat.
 * y, when not NULL, gets the forward result again. part: scratch of rmsnorm_scratch(n_rows, d) floats. */
void rmsnorm_backward(float *dx, bool accumulate, float *dw, float *y, const float *dy, const float *x,
                      const float *rstd, const float *w, int n_rows, int d, float *part);
size_t rmsnorm_scratch(int n_rows, int d);

/* x[t,:] += bias[:]; x [n_rows, d] */
void bias_forward(float *x, const float *bias, int n_rows, int d);
/* dbias[j] += sum_t dx[t,j], in order of t */
void bias_backward(float *dbias, const float *dx, int n_rows, int d);

/* Rotary positions (Su et al. 2021), half-split: pairs are (j, j + head_dim/2). table rows pos in [from, to) are
 * [cos(pos*f_j) .. | sin(pos*f_j) ..], f_j = base^(-2j/head_dim), head_dim floats a row. */
void rope_table(float *table, int from, int to, int head_dim, float base);
/* Rotate the first n_rot heads of every row in place; rows are `stride` floats apart. */
void rope_forward(float *x, const float *table, const int *pos, int n_rows, int n_rot, int head_dim, int stride);
void rope_backward(float *dx, const float *table, const int *pos, int n_rows, int n_rot, int head_dim, int stride);

/* h = silu(gate) * up, silu(g) = g * sigmoid(g); rows of gate_up are [gate (ff) | up (ff)], h [n_rows, ff] */
void swiglu_forward(float *h, const float *gate_up, int n_rows, int ff);
/* d_gate_up in the same layout; h gets the forward result again. */
void swiglu_backward(float *d_gate_up, float *h, const float *dh, const float *gate_up, int n_rows, int ff);

/* Largest element; sum_i exp(z_i - shift). The row functions under every softmax; serial. */
float row_max(const float *z, int n);
double row_sum_exp(const float *z, int n, float shift);
/* log sum_i exp(z_i); not finite when the row is not. */
double row_log_sum_exp(const float *z, int n);

#endif
