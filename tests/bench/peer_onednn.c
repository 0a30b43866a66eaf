/* peer_onednn.c - prints oneDNN's quietest ns per timestep: `KIND BATCH SECONDS SIZES..`.
 *
 * One primitive per layer with a sequence of one timestep, weights in the layout that oneDNN likes
 * best; the new states are copied back into the old ones, as a stream's must be. */
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/clock.h"

#define PEER_LAYERS_MAX 4
#define PEER_ARGS_MAX   10

struct peer_layer {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[PEER_ARGS_MAX];
    int n_args;
    float *h, *next_h, *c, *next_c;
    size_t n_state_bytes;
};

struct peer {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct peer_layer layers[PEER_LAYERS_MAX];
    int n_layers;
};

static void peer_need(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        fprintf(stderr, "peer_onednn: %s: status %d\n", what, (int)status);
        exit(1);
    }
}
#define NEED(call) peer_need(call, #call)

static dnnl_memory_desc_t peer_desc(int n, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t desc;
    NEED(dnnl_memory_desc_init_by_tag(&desc, n, dims, dnnl_f32, tag));
    return desc;
}

/* Memory of its own, with small random numbers. */
static dnnl_memory_t peer_memory(struct peer *peer, const dnnl_memory_desc_t *desc)
{
    dnnl_memory_t memory;
    float *values;
    NEED(dnnl_memory_create(&memory, desc, peer->engine, DNNL_MEMORY_ALLOCATE));
    NEED(dnnl_memory_get_data_handle(memory, (void **)&values));
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc) / sizeof *values; i++)
        values[i] = (float)(i * 37 % 101) / 1000 - 0.05f;
    return memory;
}

static float *peer_give(struct peer_layer *layer, int arg, dnnl_memory_t memory)
{
    void *values;
    layer->args[layer->n_args++] = (dnnl_exec_arg_t){arg, memory};
    NEED(dnnl_memory_get_data_handle(memory, &values));
    return values;
}

/* Weights in the layout that the primitive asks for. */
static dnnl_memory_t peer_weights(struct peer *peer, const_dnnl_primitive_desc_t desc, int ix,
                                  const dnnl_memory_desc_t *plain)
{
    dnnl_memory_t from = peer_memory(peer, plain), to;
    const dnnl_memory_desc_t *liked = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, ix);
    dnnl_primitive_desc_t reorder_desc;
    dnnl_primitive_t reorder;
    NEED(dnnl_memory_create(&to, liked, peer->engine, DNNL_MEMORY_ALLOCATE));
    NEED(dnnl_reorder_primitive_desc_create(&reorder_desc, plain, peer->engine, liked, peer->engine,
                                            NULL));
    NEED(dnnl_primitive_create(&reorder, reorder_desc));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    NEED(dnnl_primitive_execute(reorder, peer->stream, 2, args));
    NEED(dnnl_stream_wait(peer->stream));
    return to;
}

static dnnl_memory_t peer_add(struct peer *peer, const char *kind, long batch, long X, long H,
                              dnnl_memory_t x)
{
    struct peer_layer *layer = &peer->layers[peer->n_layers++];
    long G = strcmp(kind, "LSTM") == 0 ? 4 : strcmp(kind, "GRU") == 0 ? 3 : 1;
    long n_biases = G == 3 ? 4 : G; /* linear before reset has one more */
    dnnl_memory_desc_t src = peer_desc(3, (dnnl_dims_t){1, batch, X}, dnnl_tnc);
    dnnl_memory_desc_t dst = peer_desc(3, (dnnl_dims_t){1, batch, H}, dnnl_tnc);
    dnnl_memory_desc_t state = peer_desc(4, (dnnl_dims_t){1, 1, batch, H}, dnnl_ldnc);
    dnnl_memory_desc_t W = peer_desc(5, (dnnl_dims_t){1, 1, X, G, H}, dnnl_ldigo);
    dnnl_memory_desc_t R = peer_desc(5, (dnnl_dims_t){1, 1, H, G, H}, dnnl_ldigo);
    dnnl_memory_desc_t any_W = peer_desc(5, W.dims, dnnl_format_tag_any);
    dnnl_memory_desc_t any_R = peer_desc(5, R.dims, dnnl_format_tag_any);
    dnnl_memory_desc_t bias = peer_desc(4, (dnnl_dims_t){1, 1, n_biases, H}, dnnl_ldgo);
    dnnl_rnn_desc_t op;
    if (G == 4)
        NEED(dnnl_lstm_forward_desc_init(
            &op, dnnl_forward_inference, dnnl_unidirectional_left2right, &src, &state, &state,
            &any_W, &any_R, &bias, &dst, &state, &state, dnnl_rnn_flags_undef));
    else if (G == 3)
        NEED(dnnl_lbr_gru_forward_desc_init(&op, dnnl_forward_inference,
                                            dnnl_unidirectional_left2right, &src, &state, &any_W,
                                            &any_R, &bias, &dst, &state, dnnl_rnn_flags_undef));
    else
        NEED(dnnl_vanilla_rnn_forward_desc_init(
            &op, dnnl_forward_inference, dnnl_eltwise_tanh, dnnl_unidirectional_left2right, &src,
            &state, &any_W, &any_R, &bias, &dst, &state, dnnl_rnn_flags_undef, 0, 0));
    dnnl_primitive_desc_t desc;
    NEED(dnnl_primitive_desc_create(&desc, &op, NULL, peer->engine, NULL));
    NEED(dnnl_primitive_create(&layer->primitive, desc));
    dnnl_memory_t y = peer_memory(peer, &dst);
    peer_give(layer, DNNL_ARG_SRC_LAYER, x);
    peer_give(layer, DNNL_ARG_DST_LAYER, y);
    peer_give(layer, DNNL_ARG_WEIGHTS_LAYER, peer_weights(peer, desc, 0, &W));
    peer_give(layer, DNNL_ARG_WEIGHTS_ITER, peer_weights(peer, desc, 1, &R));
    peer_give(layer, DNNL_ARG_BIAS, peer_memory(peer, &bias));
    layer->h = peer_give(layer, DNNL_ARG_SRC_ITER, peer_memory(peer, &state));
    layer->next_h = peer_give(layer, DNNL_ARG_DST_ITER, peer_memory(peer, &state));
    if (G == 4) {
        layer->c = peer_give(layer, DNNL_ARG_SRC_ITER_C, peer_memory(peer, &state));
        layer->next_c = peer_give(layer, DNNL_ARG_DST_ITER_C, peer_memory(peer, &state));
    }
    layer->n_state_bytes = dnnl_memory_desc_get_size(&state);
    return y;
}

static void peer_step(void *context)
{
    struct peer *peer = context;
    for (int i = 0; i < peer->n_layers; i++) {
        struct peer_layer *layer = &peer->layers[i];
        NEED(dnnl_primitive_execute(layer->primitive, peer->stream, layer->n_args, layer->args));
        memcpy(layer->h, layer->next_h, layer->n_state_bytes);
        if (layer->c != NULL)
            memcpy(layer->c, layer->next_c, layer->n_state_bytes);
    }
    NEED(dnnl_stream_wait(peer->stream));
}

int main(int argc, char **argv)
{
    static struct peer peer;
    if (argc < 6 || argc > 5 + PEER_LAYERS_MAX) {
        fprintf(stderr, "usage: peer_onednn KIND BATCH SECONDS INPUTS UNITS..\n");
        return 2;
    }
    NEED(dnnl_engine_create(&peer.engine, dnnl_cpu, 0));
    NEED(dnnl_stream_create(&peer.stream, peer.engine, dnnl_stream_default_flags));
    long batch = strtol(argv[2], NULL, 10), X = strtol(argv[4], NULL, 10);
    dnnl_memory_desc_t src = peer_desc(3, (dnnl_dims_t){1, batch, X}, dnnl_tnc);
    dnnl_memory_t value = peer_memory(&peer, &src);
    for (int i = 5; i < argc; i++) {
        long H = strtol(argv[i], NULL, 10);
        value = peer_add(&peer, argv[1], batch, X, H, value);
        X = H;
    }
    printf("%.1f\n", clock_measure(peer_step, &peer, strtod(argv[3], NULL)).quietest_ns);
    return 0;
}
