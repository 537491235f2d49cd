/* Scope `head` of the game (algorithms.md section 4): the rewards around the fitted one that are linear in fixed
 * features, so that the inner maximum is a convex problem with a certificate (confidence.h) and the student still
 * descends exactly over the whole vocabulary.
 *
 *     r_w(s,a) = w . F(s,a),   F(s,a) = [ r_phi(s,a) ; (A h_s) o (B e_a - sum_b b(b|s) B e_b) ] in R^{1+k}
 *
 * r_phi is the fitted token-level reward, b its own distribution softmax z, h_s its final normalised hidden state, e_a
 * its output embedding of action a, o the product element by element. A response has F(x,y) = sum_h F(s_h,a_h) /
 * sqrt(max_new_tokens), and w0 = (1, 0, .., 0) is the fitted reward itself.
 *
 * A and B are principal directions: the k largest of the covariance of h over response positions of D_pref, and the k
 * largest of the covariance of the e_a over the vocabulary, direction i of one paired with direction i of the other.
 * Each correction is scaled to unit variance over the sampled rows of D_pref (the scale is part of A); one whose
 * deviation is below 1e-5 of the largest is a direction of rounding errors and gets scale 0. The first feature keeps
 * its own scale, or w0 would not be the fitted reward.
 *
 * Centring. The mean of B e under b is subtracted from B e_a, not the mean of the whole product under D_pref's rows:
 * then sum_b b(b|s) F(s,b) = 0 at every state, and every r_w keeps the property of the token reward that text which the
 * reward's own distribution would write scores 0 a token, so that no w pays for length alone.
 *
 * Boundedness. |r_phi| <= R. h_s is normalised, |h_s| <= sqrt(d) max_i |norm_i|, and there are finitely many actions:
 *     |F_j(s,a)| <= M_j = |A_j| sqrt(d) max_i |norm_i| (max_a B_j e_a - min_a B_j e_a)
 * and on the ball |w - w0| <= bound of the confidence set |r_w(s,a)| <= (1 + bound) R + bound |M|. Nothing is clipped:
 * that would bend what must be linear. In the root mean square over D_pref's rows a correction costs at most bound
 * sqrt(k).
 *
 * Everything is deterministic and has the same bits for any number of threads. A head_scope belongs to one fitted
 * reward: when its weights change, sample and build again. */
#ifndef PBKD_REWARD_HEAD_SCOPE_H
#define PBKD_REWARD_HEAD_SCOPE_H

#include "engine/reward/reward.h"
#include "engine/model/head_linear.h"

struct head_scope {
    int k, d, n_vocab;
    /* All that a checkpoint must hold, in one array: a, then b, then w. After it is read back: head_scope_attach. */
    float *state; /* [n_state] */
    size_t n_state;
    float *a; /* [k, d] in state: orthogonal rows, each over the deviation of its feature */
    float *b; /* [k, d] in state: orthonormal rows */
    float *w; /* [1+k] in state */

    float *projected; /* [n_vocab, k] B e_a, its mean over a taken off; follows from b and the model */
    bool attached;
    struct head_linear_space *space;
    float *row_feature; /* [cap_rows, 1+k] scratch */
    int cap_rows;
};

/* Room for k corrections of a model of this shape, 1 <= k <= d_model and < n_vocab; w = w0. False with e filled, and s
 * empty. */
bool head_scope_init(struct head_scope *s, int k, const struct model *m, struct err *e);
void head_scope_free(struct head_scope *s); /* also of an empty one */
/* Whether the model has the width and vocabulary that s was made for; e says what differs. */
bool head_scope_fits(const struct head_scope *s, const struct model *m, struct err *e);

/* Rows of D_pref from which directions and variances are taken. Add sequences in a fixed order until it is full: whole
 * batches, each one forward pass; what does not fit is left out. The caller chooses which (a random sample of pairs; a
 * few thousand rows do). */
struct head_scope_sample {
    float *hidden;   /* [cap, d] */
    int32_t *target; /* [cap] */
    int n, cap, d;
};
bool head_scope_sample_init(struct head_scope_sample *p, int cap, const struct model *m, struct err *e);
void head_scope_sample_free(struct head_scope_sample *p);
bool head_scope_sample_add(struct head_scope_sample *p, struct reward *r, const struct sequences *q, struct err *e);

/* Directions, scales and projections from the sample; w = w0. Level token, at least 2 rows. On failure s is not
 * attached. Transient memory: about 150 d^2 + 16,000 d bytes, and 16 + 4k a row. */
bool head_scope_build(struct head_scope *s, struct reward *r, const struct head_scope_sample *p, struct err *e);
/* Make `projected` from state and the fitted reward's model: after state was restored. */
bool head_scope_attach(struct head_scope *s, const struct model *m, struct err *e);

/* feature [n_seq, 1+k]: F(x_i, y_i) of every sequence, by one forward pass and one pass over the vocabulary. r: the
 * fitted reward, whose last reward_score is forgotten. The sequences must have been added with include_last = false. */
bool head_scope_features(struct head_scope *s, struct reward *r, const struct sequences *q, float *feature,
                         struct err *e);
/* difference [n_pairs, 1+k] = feature[first[i]] - feature[second[i]]: what confidence_set_pairs takes (pref_sequences
 * gives the indices). */
void head_scope_pairs(const struct head_scope *s, const float *feature, const int *first, const int *second,
                      int n_pairs, float *difference);

/* w [1+k] rounded to f32: the w under which values are taken and the student descends. False when one is not finite (w
 * stays). */
bool head_scope_set_weights(struct head_scope *s, const double *w, struct err *e);
void head_scope_reset_weights(struct head_scope *s); /* w = w0 */
/* value[i] = w . feature[i], summed in double: r_w(x_i, y_i). */
void head_scope_value(const struct head_scope *s, const float *feature, int n_seq, double *value);

/* head_exact_descent (head.h) under r_w: rr are the rows of the fitted reward r. Gradients to the student only. */
bool head_scope_descent(struct head_scope *s, const struct model *student, const struct head_rows *rs,
                        const struct reward *r, const struct head_rows *rr, const struct model *ref,
                        const struct head_rows *rf, const float *weight, float kl_coef, struct head_space *space,
                        struct exact_terms *terms, float *dhidden, float *grads, struct err *e);

/* F of every row and its target, [n, 1+k], not scaled by 1/sqrt(max_new_tokens). */
bool head_scope_row_features(struct head_scope *s, const struct reward *r, const struct head_rows *rows, float *feature,
                             struct err *e);

#endif
