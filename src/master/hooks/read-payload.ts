import { errorText } from '../../base/errors.ts';

const FORM = 'application/x-www-form-urlencoded';

/** The payload of a delivery whose signature was right. Throws an error that says what it is not. */
export function readPayload(body: Buffer, contentType: string, mayBeForm: boolean): unknown {
  const isForm = contentType.toLowerCase().startsWith(FORM);
  if (isForm && !mayBeForm) throw new Error('it is a form: choose application/json where you set the webhook up');
  const text = isForm ? new URLSearchParams(body.toString()).get('payload') : body.toString();
  if (text === null) throw new Error('the form has no field payload');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`it is no JSON (${errorText(error)})`, { cause: error });
  }
}
