/* lower_compare.c - questions to numbers, and what depends on the answers: Greater, Where, ...
 *
 *     a < b              LESS      1 or 0
 *     c ? a : b          KEEP(c, a) + KEEP(c == 0, b)      what is not chosen is 0, be it NaN
 *
 * Answers are floats in a step; to the graph they are BOOL.  Of constants alone all this is shape
 * arithmetic (lower_shape.c). */
#include "lib/model/lower.h"

#include <string.h>

#include "lib/model/fold.h"

static bool lower_any_data(const struct lower *lower, const struct graph_node *node)
{
    for (size_t k = 0; k < node->n_in; k++)
        if (lower_in(lower, node, k) != NULL && lower_in(lower, node, k)->data)
            return true;
    return false;
}

/* An operand to compute with: answers as floats. */
static int lower_answer(struct lower *lower, const struct graph_node *node, size_t k,
                        struct value *ret_value)
{
    const struct value *x = lower_in(lower, node, k);
    if (x == NULL)
        return load_invalid(&lower->load, "has no operand %zu", k);
    *ret_value = *x;
    if (x->type != GRAPH_BOOL)
        return 0;
    ret_value->type = GRAPH_FLOAT;
    return x->data ? 0 : fold_cast(&lower->load, x, GRAPH_FLOAT, ret_value);
}

/* a op b, answers as floats; constants fold. */
static int lower_ask(struct lower *lower, const struct graph_node *node, const char *op, bool layer,
                     const struct value *a, const struct value *b, struct value *ret_value)
{
    struct value answer;
    if (a->data || b->data)
        return lower_math_combine(lower, node, op, layer, a, b, ret_value);
    int err = fold_binary(&lower->load, op, a, b, &answer);
    return err < 0 ? err : fold_cast(&lower->load, &answer, GRAPH_FLOAT, ret_value);
}

static int lower_ask_zero(struct lower *lower, const struct graph_node *node, const char *op,
                          bool layer, const struct value *a, struct value *ret_value)
{
    struct value zero;
    int err = lower_math_number(lower, 0, &zero);
    return err < 0 ? err : lower_ask(lower, node, op, layer, a, &zero, ret_value);
}

/* condition != 0 ? x : 0 */
static int lower_keep(struct lower *lower, const struct graph_node *node,
                      const struct value *condition, const struct value *x, struct value *ret_value)
{
    struct value zero, chosen;
    if (condition->data || x->data)
        return lower_math_combine(lower, node, "Keep", false, condition, x, ret_value);
    int err = fold_cast(&lower->load, condition, GRAPH_BOOL, &chosen);
    if (err == 0)
        err = lower_math_number(lower, 0, &zero);
    return err < 0 ? err : fold_where(&lower->load, &chosen, x, &zero, ret_value);
}

/* ---- questions ---------------------------------------------------------------------------- */

static const struct {
    const char *op, *ask;
    bool swapped, or_equal;
} lower_questions[] = {
    {"Less", "Less", false, false},       {"Greater", "Less", true, false},
    {"LessOrEqual", "Less", false, true}, {"GreaterOrEqual", "Less", true, true},
    {"Equal", "Equal", false, false},     {"And", "Mul", false, false},
    {"Or", "Max", false, false},
};

int lower_compare_two(struct lower *lower, const struct graph_node *node)
{
    struct value operands[2], answer, equal;
    size_t row = 0;
    if (!lower_any_data(lower, node))
        return lower_shape_binary(lower, node);
    while (strcmp(lower_questions[row].op, node->op) != 0)
        row++;
    bool swapped = lower_questions[row].swapped, or_equal = lower_questions[row].or_equal;
    int err = 0;
    for (size_t k = 0; err == 0 && k < 2; k++)
        err = lower_answer(lower, node, k, &operands[k]);
    if (err == 0)
        err = lower_ask(lower, node, lower_questions[row].ask, !or_equal, &operands[swapped],
                        &operands[!swapped], &answer);
    if (err == 0 && or_equal)
        err = lower_ask(lower, node, "Equal", false, &operands[0], &operands[1], &equal);
    if (err == 0 && or_equal)
        err = lower_math_combine(lower, node, "Add", true, &answer, &equal, &answer);
    answer.type = GRAPH_BOOL;
    if (err == 0)
        lower_out(lower, node, 0, &answer);
    return err;
}

int lower_compare_not(struct lower *lower, const struct graph_node *node)
{
    struct value x, answer;
    if (!lower_any_data(lower, node))
        return lower_shape_unary(lower, node);
    int err = lower_answer(lower, node, 0, &x);
    if (err == 0)
        err = lower_ask_zero(lower, node, "Equal", true, &x, &answer);
    answer.type = GRAPH_BOOL;
    if (err == 0)
        lower_out(lower, node, 0, &answer);
    return err;
}

/* ---- answers ------------------------------------------------------------------------------ */

int lower_compare_where(struct lower *lower, const struct graph_node *node)
{
    struct value condition, otherwise, a, b, to;
    if (!lower_any_data(lower, node))
        return lower_shape_where(lower, node);
    int err = lower_answer(lower, node, 0, &condition);
    if (err == 0)
        err = lower_answer(lower, node, 1, &a);
    if (err == 0)
        err = lower_answer(lower, node, 2, &b);
    if (err == 0)
        err = lower_ask_zero(lower, node, "Equal", false, &condition, &otherwise);
    if (err == 0)
        err = lower_keep(lower, node, &condition, &a, &a);
    if (err == 0)
        err = lower_keep(lower, node, &otherwise, &b, &b);
    if (err == 0)
        err = lower_math_combine(lower, node, "Add", true, &a, &b, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* (0 < x) - (x < 0) */
int lower_compare_sign(struct lower *lower, const struct graph_node *node)
{
    struct value x, zero, above, below, to;
    if (!lower_any_data(lower, node))
        return lower_shape_unary(lower, node);
    int err = lower_answer(lower, node, 0, &x);
    if (err == 0)
        err = lower_math_number(lower, 0, &zero);
    if (err == 0)
        err = lower_ask(lower, node, "Less", false, &zero, &x, &above);
    if (err == 0)
        err = lower_ask(lower, node, "Less", false, &x, &zero, &below);
    if (err == 0)
        err = lower_math_combine(lower, node, "Sub", true, &above, &below, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* x - bias where x > lambda, x + bias where x < -lambda, else 0; ThresholdedRelu: the first part. */
int lower_compare_shrink(struct lower *lower, const struct graph_node *node)
{
    bool one_sided = *node->op == 'T';
    float lambda =
        one_sided ? graph_attr_real(node, "alpha", 1) : graph_attr_real(node, "lambd", 0.5f);
    float bias = one_sided ? 0 : graph_attr_real(node, "bias", 0);
    struct value x, sides[2];
    if (!lower_any_data(lower, node))
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    int err = lower_answer(lower, node, 0, &x);
    for (size_t k = 0; err == 0 && k < (one_sided ? 1 : 2); k++) {
        struct value bound, asked, shift, moved;
        err = lower_math_number(lower, k == 0 ? lambda : -lambda, &bound);
        if (err == 0)
            err = lower_math_number(lower, k == 0 ? -bias : bias, &shift);
        if (err == 0)
            err = lower_ask(lower, node, "Less", false, k == 0 ? &bound : &x, k == 0 ? &x : &bound,
                            &asked);
        if (err == 0)
            err = lower_math_combine(lower, node, "Add", false, &x, &shift, &moved);
        if (err == 0)
            err = lower_math_combine(lower, node, "Keep", one_sided, &asked, &moved, &sides[k]);
    }
    if (err == 0 && !one_sided)
        err = lower_math_combine(lower, node, "Add", true, &sides[0], &sides[1], &sides[0]);
    if (err == 0)
        lower_out(lower, node, 0, &sides[0]);
    return err;
}
