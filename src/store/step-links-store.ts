/** Where somebody may read on, told by a step. */
export interface StepLink {
  readonly step: number;
  readonly name: string;
  /** Of http or https. */
  readonly url: string;
}

export interface StepLinkStore {
  /** In the place of an earlier one of the step and name. */
  put(buildId: number, link: StepLink): Promise<void>;
  /** In the order in which they were first put. */
  list(buildId: number): Promise<readonly StepLink[]>;
}
