import type { CheckedConfig } from './config-schema.ts';
import { checkoutMistake } from './steps/checkout-options.ts';
import type { CheckoutOptions } from './steps/checkout-options.ts';

/** Options of checkouts that do not go together, or are none. */
export function checkoutMistakes({ projects }: CheckedConfig): readonly string[] {
  const mistakes: string[] = [];
  for (const project of projects) {
    for (const builder of project.builders) {
      for (const { name, made } of builder.steps) {
        const mistake = made?.of === 'checkout' ? checkoutMistake(made as CheckoutOptions) : undefined;
        if (mistake !== undefined) {
          mistakes.push(`project "${project.name}", builder "${builder.name}", step "${name}": ${mistake}`);
        }
      }
    }
  }
  return mistakes;
}
