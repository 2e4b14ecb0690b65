import type { Disk, Forward, Instance, Reason, State } from "../state/schema.ts";

/** What can be seen of an instance's machine. */
export type Observation =
  | { readonly kind: "present" }
  /** It is on its way from one state to the next by itself: there is nothing to do but to wait. */
  | { readonly kind: "changing" }
  /** It runs but cannot go on, as with a full disk. */
  | { readonly kind: "stuck"; readonly reason: Reason }
  /** Nothing runs: it was never started, or its system powered it off. */
  | { readonly kind: "absent" }
  /** Nothing runs because the machine ended without its system having anything to do with it. */
  | { readonly kind: "died"; readonly message: string };

/** What runs the machines behind instances. It changes nothing in the state; it is told what is in there. */
export interface Engine {
  readonly name: Instance["engine"];

  /**
   * Looks whether machines can be run at all.
   * @throws BakeError `missing-tool`
   */
  check(): Promise<void>;

  /** An address of this computer for a new instance's open ports. */
  publicAddress(taken: ReadonlySet<string>): string;

  /**
   * Where to answer for each of an instance's open ports; what is in `instance.forwards` already stays.
   * @param taken ports that others have on the same address
   */
  place(instance: Instance, ports: readonly number[], taken: ReadonlySet<number>): Promise<Forward[]>;

  /** Makes the file of a disk. Called with the state's lock held. */
  createDisk(disk: Disk, sizeGiB: number): Promise<void>;

  /**
   * Starts the machine and returns as soon as it runs; its system boots on.
   * @throws BakeError `failed` with the reason that QEMU gave
   */
  start(instance: Instance): Promise<void>;

  observe(instance: Instance, now: number): Promise<Observation>;

  /** Asks the machine's system to power off. */
  pressPowerButton(instance: Instance): Promise<void>;

  /** Restarts the machine's system, as a reset button does. */
  reset(instance: Instance): Promise<void>;

  /** Ends the machine at once and returns when it is gone. */
  kill(instance: Instance): Promise<void>;

  /** Makes the running machine answer at the address and ports that it has in `after`, and no others. */
  setForwards(before: Instance, after: Instance): Promise<void>;

  /** From now on the running machine writes to this disk, which backs on the one it used until now. */
  switchDisk(instance: Instance, disk: Disk): Promise<void>;

  /** Which disk the running machine writes to. */
  activeDisk(instance: Instance): Promise<string | undefined>;

  /** The last 64 KiB of the serial console, and when it last said something. */
  console(instance: Instance): Promise<{ readonly content: Uint8Array; readonly at: number } | undefined>;

  /** Removes every file that nothing in the state refers to. Called with the state's lock held. */
  sweep(state: State): Promise<void>;
}
