/* The labellers, one row each: what stands here is all that is known of one outside the file that decides its pairs.
 *
 *   LABELLER(ID, name, number, needs, stem, flip, weight, help)
 *     number   of its labels' source in run.db: new ones take the next
 *     needs    NEEDS_* and KNOWS_* bits (labeller.h)
 *     stem     labellers/STEM.c has labeller_STEM_decide, which labels a pair
 *     flip, weight   the assumed flip rate and the weight of its labels, as expressions in the options `o`
 *
 * The order decides which labeller of a mixture a random number means: new rows go to the end. */
#ifndef PBKD_PREF_LABELLER_TABLE_H
#define PBKD_PREF_LABELLER_TABLE_H

/* clang-format off */
#define LABELLER_TABLE(LABELLER)                                                                                       \
    LABELLER(TEACHER, "teacher", 1, KNOWS_TEACHER_ALONE, teacher,                                                      \
             o->label_flip, 1.0,                                                                                       \
             "the teacher's output is preferred")                                                                      \
    LABELLER(HUMAN, "human", 2, NEEDS_PERSON, human,                                                                   \
             o->label_flip, 1.0, /* the teacher's, until the person's take their place */                              \
             "the pair waits for a person")                                                                            \
    LABELLER(ORACLE, "oracle", 4, NEEDS_CHECKER, oracle,                                                               \
             o->label_flip_oracle, o->label_weight_oracle,                                                             \
             "the checker decides: the only right answer is preferred, else a tie")                                    \
    LABELLER(SELF, "self", 5, NEEDS_SAMPLES, self,                                                                     \
             o->label_flip_self, o->label_weight_self,                                                                 \
             "the answer that most of the student's samples agree on is preferred")                                    \
    LABELLER(IMPORT, "import", 3, NEEDS_FILE, import,                                                                  \
             o->label_flip_import, o->label_weight_import,                                                             \
             "only the labels of the file label.import count: no new pairs are made")
/* clang-format on */

/* "|teacher|human|...": skip the first bar for the choices of an option. */
#define LABELLER_CHOICE(id, name, number, needs, stem, flip, weight, help) "|" name
#define LABELLER_CHOICES (&(LABELLER_TABLE(LABELLER_CHOICE))[1])

#endif
