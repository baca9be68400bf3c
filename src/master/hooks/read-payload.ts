import { errorText } from '../../base/errors.ts';

const FORM = 'application/x-www-form-urlencoded';

/** The payload of a delivery whose signature was right. Throws an error that says what it is not. */
export function readPayload(body: Buffer, contentType: string, form?: (form: string) => unknown): unknown {
  const isForm = contentType.toLowerCase().startsWith(FORM);
  if (!isForm) return readJson(body.toString());
  if (!form) throw new Error('it is a form: choose application/json where you set the webhook up');
  return form(body.toString());
}

/** Of a forge that sends its JSON as the field of a form. */
export function payloadForm(form: string): unknown {
  const text = new URLSearchParams(form).get('payload');
  if (text === null) throw new Error('the form has no field payload');
  return readJson(text);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`it is no JSON (${errorText(error)})`, { cause: error });
  }
}
