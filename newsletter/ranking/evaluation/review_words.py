"""How a reader might tell what each review is about: five keywords, and one sentence. By hand."""

KEYWORDS: dict[str, tuple[str, ...]] = {
    "ADHD": (
        "attention deficit hyperactivity disorder",
        "methylphenidate",
        "atomoxetine",
        "amphetamine",
        "ADHD",
    ),
    "AtypicalAntipsychotics": (
        "atypical antipsychotics",
        "olanzapine",
        "risperidone",
        "schizophrenia",
        "clozapine",
    ),
    "BetaBlockers": ("beta blockers", "metoprolol", "carvedilol", "heart failure", "hypertension"),
    "Estrogens": (
        "estrogen",
        "hormone replacement therapy",
        "menopause",
        "estradiol",
        "hot flushes",
    ),
    "NSAIDS": ("NSAIDs", "celecoxib", "osteoarthritis", "ibuprofen", "rheumatoid arthritis"),
    "Opiods": ("opioids", "morphine", "oxycodone", "chronic pain", "fentanyl"),
    "ProtonPumpInhibitors": (
        "proton pump inhibitors",
        "omeprazole",
        "gastroesophageal reflux disease",
        "lansoprazole",
        "Helicobacter pylori",
    ),
    "Triptans": ("triptans", "sumatriptan", "migraine", "rizatriptan", "acute headache"),
}

TEXTS: dict[str, str] = {
    "ADHD": "Which drugs help children and adults with attention deficit hyperactivity disorder",
    "AtypicalAntipsychotics": "How well the newer antipsychotic drugs work in schizophrenia and "
    "bipolar disorder, and what harm they do",
    "BetaBlockers": "Trials of beta blockers for high blood pressure, angina and heart failure",
    "Estrogens": "Estrogen treatment of hot flushes and bone loss in women after menopause",
    "NSAIDS": "Anti-inflammatory drugs for the pain of arthritis and their effect on the stomach",
    "Opiods": "Long-acting opioids compared with each other in patients with chronic pain",
    "ProtonPumpInhibitors": "Drugs that lower stomach acid, for reflux, ulcers and Helicobacter",
    "Triptans": "Triptan tablets against migraine attacks, compared in randomised trials",
}
