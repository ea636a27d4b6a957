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
export const notShownYet: ReadonlySet<number> = new Set<number>([
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
  28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
  52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75,
  76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
  100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 116, 117, 118, 119,
  120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131,
]);
