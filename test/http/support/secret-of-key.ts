/** The secret half of an API key's text `vk_ID_SECRET`; the secret itself may hold underscores. */
export function secretOfKey(text: string): string {
  return text.split('_').slice(2).join('_')
}
