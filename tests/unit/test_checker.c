/* Checkers of answers: which responses count as right, what their answers are, and that text of any kind, broken UTF-8
 * included, is only a wrong answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/corpus/checker.h"
#include "engine/option/option.h"

static void last_numbers_are_compared(void **state) {
    (void)state;
    assert_true(checker_number("3 + 4 = 7. The answer is 7.", "7"));
    assert_true(checker_number("1,234 in all", "so #### 1234"));
    assert_true(checker_number("it falls to -5.", "-5"));
    assert_true(checker_number("-0", "0"));
    assert_false(checker_number("7, or 8", "7"));
    assert_false(checker_number("17", "7"));
    assert_false(checker_number("2-5", "-5")); /* an operator */
    assert_false(checker_number("none", "7"));
    assert_false(checker_number("7", "none"));
    assert_false(checker_number("", ""));
}

static void last_words_are_compared(void **state) {
    (void)state;
    assert_true(checker_word("16 = 2 x 7 + 2. After Tuesday: Wednesday Thursday. The answer is Thursday.", "Thursday"));
    assert_true(checker_word("thursday", "Thursday"));
    assert_true(checker_word("It is **THURSDAY**!\n", "Thursday."));
    assert_true(checker_word("\\boxed{Thursday} :-)", "thursday"));
    assert_true(checker_word("the 3rd of May, 19", "19"));
    assert_false(checker_word("Thursday, or Friday", "Thursday"));
    assert_false(checker_word("The answer is Thurs", "Thursday"));
    assert_false(checker_word("MaundyThursday", "Thursday"));
    assert_false(checker_word("Thursday", "Maundy Thursday"));
    assert_false(checker_word("Thursday2", "Thursday"));
    assert_false(checker_word("", "Thursday"));
    assert_false(checker_word("Thursday", ""));
    assert_false(checker_word("", ""));
    assert_false(checker_word("...", "?!")); /* no words are not the same words */
}

static void an_answer_of_several_words_asks_for_all_of_them(void **state) {
    (void)state;
    assert_true(checker_word("It is in New York.", "New York"));
    assert_true(checker_word("New\n\tYork", "new york"));
    assert_false(checker_word("It is in York.", "New York"));
    assert_false(checker_word("It is in the renew York.", "New York"));
    assert_false(checker_word("York, New", "New York"));
}

static void apostrophes_and_hyphens_belong_inside_a_word(void **state) {
    (void)state;
    assert_true(checker_word("in twenty-one", "Twenty-one"));
    assert_false(checker_word("in twenty-one", "one"));
    assert_true(checker_word("five o\xE2\x80\x99"
                             "clock",
                             "o'clock"));
    assert_true(checker_word("'Thursday'-", "Thursday"));
    assert_true(checker_word("Wednesday--Thursday", "Thursday"));
    assert_true(checker_word("Wednesday\xE2\x80\x94Thursday", "Thursday")); /* a dash parts */
}

static void forms_of_one_letter_are_one(void **state) {
    (void)state;
    assert_true(checker_word("\xC3\x89T\xC3\x89", "\xC3\xA9t\xC3\xA9"));
    assert_true(checker_word("e\xCC\x81te\xCC\x81", "\xC3\xA9t\xC3\xA9")); /* marks of their own */
    assert_true(checker_word("STRASSE", "Stra\xC3\x9F"
                                        "e"));
    assert_true(checker_word("\xEF\xBC\xB4hursday", "Thursday")); /* full width */
    assert_true(checker_word("Thurs\xC2\xAD"
                             "day\xE2\x80\x8B",
                             "Thursday")); /* a soft hyphen, a space of no width */
    /* a sun and its variation mark */
    assert_true(checker_word("Thursday\xC2\xA0\xE2\x98\x80\xEF\xB8\x8F", "Thursday"));
    assert_true(checker_word("Thursday \xCC\x81", "Thursday")); /* a mark that belongs to nothing */
    assert_false(checker_word("\xC3\xA9t\xC3\xA9", "ete"));
}

static void broken_text_is_a_wrong_answer_at_worst(void **state) {
    (void)state;
    assert_true(checker_word("\xFF\xFEThursday\xC3", "Thursday"));
    /* a surrogate, beyond the last character */
    assert_true(checker_word("\xED\xA0\x80 Thursday \xF4\x90\x80\x80", "Thursday"));
    assert_false(checker_word("Thurs\xFF"
                              "day",
                              "Thursday"));
    assert_false(checker_word("\xC3", "\xC3"));
    enum { ROUNDS = 3000, LENGTH = 48 };
    for (uint64_t round = 0; round < ROUNDS; round++) {
        char s[LENGTH + 1];
        for (uint64_t i = 0; i < LENGTH; i++) s[i] = (char)(1 + rng_below(255, 7, RNG_TEST, round, i)); /* no NUL */
        s[LENGTH] = '\0';
        char *exact = mem_strdup(s); /* so that a sanitizer sees a read beyond the end */
        char *answer = checker_word_answer(exact);
        assert_int_equal(answer != NULL, checker_word(exact, exact)); /* any word is itself */
        if (answer) {
            assert_true(*answer && !strchr(answer, ' '));
            assert_true(checker_word(exact, answer));
        }
        free(answer);
        answer = checker_number_answer(exact);
        assert_int_equal(answer != NULL, checker_number(exact, exact));
        free(answer);
        free(exact);
    }
}

static void long_texts_are_read_whole(void **state) {
    (void)state;
    enum { LENGTH = 1 << 20 };
    char *s = mem_small(LENGTH + 1);
    memset(s, 'a', LENGTH);
    assert_false(checker_word(s, "a"));
    s[LENGTH - 2] = ' ';
    assert_true(checker_word(s, "A"));
    memset(s, '-', LENGTH);
    assert_false(checker_word(s, "-"));
    free(s);
}

static void word_is(const char *response, const char *answer) {
    char *got = checker_word_answer(response);
    if (!answer)
        assert_null(got);
    else
        assert_string_equal(got ? got : "", answer);
    free(got);
}

static void last_words_are_answers(void **state) {
    (void)state;
    word_is("The answer is Thursday.", "thursday");
    word_is("In New York", "york");
    word_is("o'clock -", "o'clock");
    word_is("?", NULL);
    word_is("", NULL);
}

static void the_option_chooses_the_checker(void **state) {
    (void)state;
    assert_true(checker_right(CHECKER_NUMBER, "7 apples", "7"));
    assert_false(checker_right(CHECKER_WORD, "7 apples", "7"));
    assert_true(checker_right(CHECKER_WORD, "7 apples", "Apples"));
    assert_false(checker_right(CHECKER_NONE, "7", "7"));
    char *number = checker_answer(CHECKER_NUMBER, "7 apples"), *word = checker_answer(CHECKER_WORD, "7 apples");
    assert_string_equal(number, "7");
    assert_string_equal(word, "apples");
    assert_null(checker_answer(CHECKER_NONE, "7 apples"));
    free(number);
    free(word);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(last_numbers_are_compared),
                                       cmocka_unit_test(last_words_are_compared),
                                       cmocka_unit_test(an_answer_of_several_words_asks_for_all_of_them),
                                       cmocka_unit_test(apostrophes_and_hyphens_belong_inside_a_word),
                                       cmocka_unit_test(forms_of_one_letter_are_one),
                                       cmocka_unit_test(broken_text_is_a_wrong_answer_at_worst),
                                       cmocka_unit_test(long_texts_are_read_whole),
                                       cmocka_unit_test(last_words_are_answers),
                                       cmocka_unit_test(the_option_chooses_the_checker)};
    return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
