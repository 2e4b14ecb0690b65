/*
 * EC2 is eventually consistent: what was made a moment ago may not be found by the next call ("Eventual consistency in
 * the Amazon EC2 API" in its developer guide).
 */

/** How long a call that needs something just made waits for it to be found, in seconds. */
export const newVisibleSeconds = 120;

/** How long a deletion waits for what it is to delete, in seconds: it may as well have been deleted by someone else. */
export const deletionVisibleSeconds = 12;
