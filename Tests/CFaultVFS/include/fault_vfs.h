#ifndef WAYBILL_FAULT_VFS_H
#define WAYBILL_FAULT_VFS_H

/* A SQLite VFS over the system's own that notes each write, truncation and sync of a file, and can make one of them
   fail. From the notes a test builds what a power cut could have left. For one thread at a time. */

#define WAYBILL_FAULT_VFS "waybill-fault"

enum { WAYBILL_OP_WRITE = 1, WAYBILL_OP_TRUNCATE = 2, WAYBILL_OP_SYNC = 3 };
enum { WAYBILL_FILE_MAIN = 0, WAYBILL_FILE_WAL = 1, WAYBILL_FILE_OTHER = 2 };

typedef struct {
    int kind;
    int file;
    long long offset; /* of a write, or the new size of a truncation */
    int length;
    const unsigned char *bytes;
} waybill_fault_op;

void waybill_fault_register(void);
/* Forgets the notes. The failAt-th operation from now on (from 1; 0: none) fails with SQLite's code `failure`. */
void waybill_fault_reset(long failAt, int failure, int notes);
long waybill_fault_count(void);
waybill_fault_op waybill_fault_get(long index);

#endif
