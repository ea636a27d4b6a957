// Checklist items that no test shows: those that cannot apply to a federation, with the reason,
// and those whose test is still to be written. The second list only ever shrinks.

/** By item number: why it does not apply. */
export const decisions: ReadonlyMap<number, string> = new Map([
  [
    115,
    'ServiceExport and ServiceImport are not served: a federated Service is written once at the ' +
      'federation and placed by its ServicePolicy, so there is nothing to export or import.',
  ],
]);

/** Neither proved nor decided. */
export const notShownYet: ReadonlySet<number> = new Set<number>();
