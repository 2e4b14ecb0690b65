/** A service as people know it; the names with an underscore are the machine's own. */
export function serviceTitle(service: string): string {
  switch (service) {
    case "_packages":
      return "package installation";
    case "_before":
      return "global setup";
    case "_after":
      return "global cleanup";
    default:
      return service;
  }
}
