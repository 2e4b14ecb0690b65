/** What goes to a machine. */
export interface Bundle {
  /** Of the content, hex, 16 characters; the bundle's directory on the machine is named by it. */
  readonly digest: string;
  /** tar.gz; the same input gives the same bytes. */
  readonly archive: Uint8Array;
  /** Every service in it, with the digest of all that it is. */
  readonly services: ReadonlyMap<string, string>;
}
