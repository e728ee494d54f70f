/* flood IFACE PPS SECONDS FRAME_BYTES: sends UDP frames of 256 flows at a steady rate (0: as fast as it can) and prints
 * how many the kernel took. Payload is half text and half noise, so that compression has real work. Bounded in time. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_MAX = 2048, FLOWS = 256, NOISE = 1 << 22 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void put16(unsigned char *at, unsigned value) {
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "flood IFACE PPS SECONDS FRAME_BYTES\n");
        return 2;
    }
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    unsigned length = (unsigned)atoi(argv[4]);
    if (length < 64 || length > FRAME_MAX || seconds > 120) {
        fprintf(stderr, "flood: frames of 64 to %d bytes, at most 120 s\n", FRAME_MAX);
        return 2;
    }
    int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
    if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("flood");
        return 1;
    }
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    static unsigned char frames[BATCH][FRAME_MAX];
    static struct iovec parts[BATCH];
    static struct mmsghdr messages[BATCH];
    static const char text[] = "HTTP/1.1 200 OK Content-Type: text/html; charset=utf-8 ";
    /* Frames repeat no noise within a compressor's window. */
    static unsigned char noise[NOISE + FRAME_MAX];
    srand(1);
    for (int k = 0; k < NOISE + FRAME_MAX; k++)
        noise[k] = (unsigned char)rand();
    unsigned offset = 0;
    for (int i = 0; i < BATCH; i++) {
        unsigned char *f = frames[i];
        memcpy(f, "\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0\x45\0", 16);
        put16(f + 16, length - 14);
        f[22] = 64; /* time to live */
        f[23] = 17; /* UDP */
        memcpy(f + 30, "\x0a\0\0\2", 4);
        put16(f + 36, 9); /* discard */
        put16(f + 38, length - 34);
        for (unsigned k = 42; k < length; k++)
            f[k] = (unsigned char)text[k % (sizeof text - 1)];
        parts[i] = (struct iovec){f, length};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    unsigned long sent = 0, number = 0;
    for (double begun = now(), t = begun; t - begun < seconds; t = now()) {
        if (rate > 0 && (double)sent >= rate * (t - begun)) {
            usleep(20);
            continue;
        }
        for (int i = 0; i < BATCH; i++, number++) {
            unsigned flow = (unsigned)(number % FLOWS);
            memcpy(frames[i] + 26, "\x0a\1\0", 3);
            frames[i][29] = (unsigned char)flow;
            put16(frames[i] + 34, 1024 + flow);
            put16(frames[i] + 18, (unsigned)(number & 0xffff));
            memcpy(frames[i] + 44, &number, sizeof number);
            unsigned half = (length - 52) / 2;
            memcpy(frames[i] + length - half, noise + offset, half);
            offset = (offset + half) % NOISE;
        }
        int taken = sendmmsg(fd, messages, BATCH, 0);
        if (taken > 0)
            sent += (unsigned long)taken;
    }
    printf("%lu\n", sent);
    return 0;
}
