// What lmdb's files are called, for those who read them with lmdb and those who read them without.

/** lmdb's own two files: the rows, and who reads them now. */
export const tableFiles = { data: 'data.mdb', readers: 'lock.mdb' } as const;

/** The name of the table inside lmdb's file. */
export const rowsName = 'rows';
