/** Makes a report, which may take a while. */
export async function makeReport(topic: string): Promise<{ report: string }> {
  return Promise.resolve({ report: `of ${topic}` });
}
