<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name />
    <message>
        <source>Skipped: {reason}</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Its folder cannot be reached at present.</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>AlternativeRow</name>
    <message>
        <source>Use this caption</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Failed</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Note</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>BugDialog</name>
    <message>
        <source>Something went wrong</source>
        <translation>Etwas ist schiefgegangen</translation>
    </message>
    <message>
        <source>This is a fault of Earshot. Your sounds and your library are untouched, and you can go on. If you report it, this text helps to find it; it may name files of yours, so read it first.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Copy the report</source>
        <translation>Bericht kopieren</translation>
    </message>
</context>
<context>
    <name>CaptionCard</name>
    <message>
        <source>Caption</source>
        <translation>Beschreibung</translation>
    </message>
    <message>
        <source>Keep this</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Edit the caption</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Copy the caption</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Have the model write it anew</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Restore what the model wrote</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No caption yet</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The model wrote: {text}</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Written by you</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The model is {percent} sure</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>tags, because the sentence is doubtful</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Or:</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>CaptionsView</name>
    <message>
        <source>Captions</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>Desk</name>
    <message>
        <source>All sounds</source>
        <translation>Alle Klänge</translation>
    </message>
    <message>
        <source>Favourites</source>
        <translation>Favoriten</translation>
    </message>
    <message>
        <source>New collection</source>
        <translation>Neue Sammlung</translation>
    </message>
</context>
<context>
    <name>DropOverlay</name>
    <message>
        <source>Add to the library</source>
        <translation>Zur Bibliothek hinzufügen</translation>
    </message>
    <message>
        <source>Search by this sound</source>
        <translation>Nach diesem Klang suchen</translation>
    </message>
    <message>
        <source>Search by these sounds</source>
        <translation>Nach diesen Klängen suchen</translation>
    </message>
    <message>
        <source>{0} and {1} more</source>
        <translation>{0} und {1} weitere</translation>
    </message>
</context>
<context>
    <name>ExportDialog</name>
    <message>
        <source>Export 1 sound</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Export {0} sounds</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Choose…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Export</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Show the folder</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Exporting…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>WAV, 16 bit, dithered</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>WAV, 24 bit</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>WAV, 32 bit floating point</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>FLAC</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>As each sound has it</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} kHz</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>&amp;Folder</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>&amp;Names</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>For&amp;mat</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sample &amp;rate</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>&amp;Handles</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Names</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Format</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sample rate</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Handles before and after a region</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Progress</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Skipped</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Choose a folder.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Export to</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>1 file was written.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} files were written.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} could not be exported:</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The rest was left out.</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>FileActions</name>
    <message>
        <source>Add a tag</source>
        <translation>Schlagwort hinzufügen</translation>
    </message>
    <message>
        <source>Tag</source>
        <translation>Schlagwort</translation>
    </message>
    <message>
        <source>Writing captions anew for {0}.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Copied {0}.</source>
        <translation>{0} kopiert.</translation>
    </message>
    <message>
        <source>No file manager could be opened. The file lies in {0}.</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>FiltersPanel</name>
    <message>
        <source>Any folder; part of its name or path</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Any</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Mono</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Stereo</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>More</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>any</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Any category</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Any tag</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Only favourites</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Captioned</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Not yet</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Clear all filters</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Format</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Rate</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Channels</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Length</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>m:ss or seconds</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Loudness</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>LUFS</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Category</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Tag</source>
        <translation>Schlagwort</translation>
    </message>
    <message>
        <source>Rating</source>
        <translation>Bewertung</translation>
    </message>
    <message>
        <source>Captions</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Shortest length</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Greatest length</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Softest loudness</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Greatest loudness</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Also: {filters}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>FolderTarget</name>
    <message>
        <source>Drop a folder here</source>
        <translation>Ordner hier ablegen</translation>
    </message>
</context>
<context>
    <name>IndexController</name>
    <message>
        <source>{0} were taken out of the library; on disk nothing changed.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Changes in the folders are not noticed by themselves: {0}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>IndexingPanel</name>
    <message>
        <source>Indexing</source>
        <translation>Indizieren</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>Look at the folders again</source>
        <translation>Ordner neu einlesen</translation>
    </message>
    <message>
        <source>Show in the file manager</source>
        <translation>Im Dateimanager zeigen</translation>
    </message>
    <message>
        <source>Copy the list</source>
        <translation>Liste kopieren</translation>
    </message>
    <message>
        <source>Look at folders</source>
        <translation>Ordner einlesen</translation>
    </message>
    <message>
        <source>Listen to sounds</source>
        <translation>Klänge anhören</translation>
    </message>
    <message>
        <source>Prepare searching</source>
        <translation>Suche vorbereiten</translation>
    </message>
    <message>
        <source>Write captions</source>
        <translation>Beschreibungen schreiben</translation>
    </message>
    <message>
        <source>Skipped files</source>
        <translation>Übersprungene Dateien</translation>
    </message>
    <message>
        <source>Everything is indexed.</source>
        <translation>Alles ist indiziert.</translation>
    </message>
    <message>
        <source>Stopped; {0} wait to be indexed.</source>
        <translation>Angehalten; {0} warten aufs Indizieren.</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>{0} found</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} von {1}</translation>
    </message>
    <message>
        <source>{0} × real time</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Skipped: {0}</source>
        <translation>Übersprungen: {0}</translation>
    </message>
    <message>
        <source>Nothing was skipped</source>
        <translation>Nichts wurde übersprungen</translation>
    </message>
</context>
<context>
    <name>InspectorPanel</name>
    <message>
        <source>More like this</source>
        <translation>Mehr davon</translation>
    </message>
    <message>
        <source>Choose a sound to see what is known of it.</source>
        <translation>Wähle einen Klang, um zu sehen, was über ihn bekannt ist.</translation>
    </message>
    <message>
        <source>Favourite</source>
        <translation>Favorit</translation>
    </message>
    <message>
        <source>Why this matched</source>
        <translation>Warum das passt</translation>
    </message>
    <message>
        <source>Caption</source>
        <translation>Beschreibung</translation>
    </message>
    <message>
        <source>Tags</source>
        <translation>Schlagwörter</translation>
    </message>
    <message>
        <source>Similar sounds</source>
        <translation>Ähnliche Klänge</translation>
    </message>
    <message>
        <source>Duplicates</source>
        <translation>Doppelte</translation>
    </message>
    <message>
        <source>Metadata</source>
        <translation>Metadaten</translation>
    </message>
    <message>
        <source>Listening…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The sound is as short as one window.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{matches} of {windows} windows match; click one to hear it.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No single window matches well.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Nothing else sounds like it.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>same bytes</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>sounds the same</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>None found.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Category</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Collections</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Length</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Format</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Rate</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Bit depth</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Channels</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Loudness</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Peak</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Size</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Changed</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>KnownErrorDialog</name>
    <message>
        <source>Earshot</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>LevelMeter</name>
    <message>
        <source>Level</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} dB</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>LibraryPanel</name>
    <message>
        <source>Add a folder of sounds</source>
        <translation>Ordner mit Klängen hinzufügen</translation>
    </message>
    <message>
        <source>New collection</source>
        <translation>Neue Sammlung</translation>
    </message>
    <message>
        <source>Library</source>
        <translation>Bibliothek</translation>
    </message>
    <message>
        <source>Resume indexing</source>
        <translation>Indizieren fortsetzen</translation>
    </message>
    <message>
        <source>Pause indexing</source>
        <translation>Indizieren anhalten</translation>
    </message>
    <message>
        <source>Add a folder…</source>
        <translation>Ordner hinzufügen…</translation>
    </message>
    <message>
        <source>Look at all folders again</source>
        <translation>Alle Ordner neu einlesen</translation>
    </message>
    <message>
        <source>Search in this folder</source>
        <translation>In diesem Ordner suchen</translation>
    </message>
    <message>
        <source>Look at it again</source>
        <translation>Neu einlesen</translation>
    </message>
    <message>
        <source>Skipped files…</source>
        <translation>Übersprungene Dateien…</translation>
    </message>
    <message>
        <source>Open in the file manager</source>
        <translation>Im Dateimanager öffnen</translation>
    </message>
    <message>
        <source>Take out of the library…</source>
        <translation>Aus der Bibliothek nehmen…</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Delete the collection…</source>
        <translation>Sammlung löschen…</translation>
    </message>
    <message>
        <source>Delete the saved search</source>
        <translation>Gespeicherte Suche löschen</translation>
    </message>
    <message>
        <source>Stop indexing</source>
        <translation>Indizieren beenden</translation>
    </message>
    <message>
        <source>Take {0} out of the library?</source>
        <translation>{0} aus der Bibliothek nehmen?</translation>
    </message>
    <message>
        <source>Its files on disk stay as they are. Ratings, tags and captions of its sounds are forgotten.</source>
        <translation>Die Dateien auf der Platte bleiben, wie sie sind. Bewertungen, Schlagwörter und Beschreibungen der Klänge werden vergessen.</translation>
    </message>
    <message>
        <source>Take out</source>
        <translation>Herausnehmen</translation>
    </message>
    <message>
        <source>Delete the collection {0}?</source>
        <translation>Die Sammlung {0} löschen?</translation>
    </message>
    <message>
        <source>Its sounds stay where they are.</source>
        <translation>Die Klänge bleiben, wo sie sind.</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Earshot</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
</context>
<context>
    <name>LogWindow</name>
    <message>
        <source>Log</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>Only warnings and errors</source>
        <translation>Nur Warnungen und Fehler</translation>
    </message>
    <message>
        <source>Copy all</source>
        <translation>Alles kopieren</translation>
    </message>
    <message>
        <source>Open the log's folder</source>
        <translation>Ordner des Protokolls öffnen</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>The library could not be opened.</source>
        <translation>Die Bibliothek konnte nicht geöffnet werden.</translation>
    </message>
    <message>
        <source>Folder of the library</source>
        <translation>Ordner der Bibliothek</translation>
    </message>
</context>
<context>
    <name>MomentCurve</name>
    <message>
        <source>Matches over time: {spans}</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>none</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>OutputMenu</name>
    <message>
        <source>Play on</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The system's device</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No other device was found</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Look for devices again</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Output channels</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Listen to</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>All channels</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Channel {0}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>PlainText</name>
    <message>
        <source>Copy</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>PlayerPanel</name>
    <message>
        <source>Output</source>
        <translation>Ausgabe</translation>
    </message>
    <message>
        <source>Output device and channels</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Speed, which changes the pitch</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Gain</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Position</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sounds play while you go through the list.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sounds play only when you ask for it.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Play from here</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Region begins here</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Region ends here</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Search by the region</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Export the region…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Zoom to the region</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Clear the region</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Export the sound…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Whole sound</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Choose a sound to hear it</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>PreferencesDialog</name>
    <message>
        <source>Preferences</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Pages</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Search</source>
        <translation>Suche</translation>
    </message>
    <message>
        <source>Indexing</source>
        <translation>Indizieren</translation>
    </message>
    <message>
        <source>Listening</source>
        <translation>Hören</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Privacy</source>
        <translation>Privatsphäre</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>The fastest that there is</source>
        <translation>Das schnellste vorhandene</translation>
    </message>
    <message>
        <source>Graphics card (CUDA)</source>
        <translation>Grafikkarte (CUDA)</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>Prozessor (CPU)</translation>
    </message>
    <message>
        <source>Looking for devices…</source>
        <translation>Geräte werden gesucht…</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Use these now</source>
        <translation>Jetzt verwenden</translation>
    </message>
    <message>
        <source>Open the folder of models</source>
        <translation>Ordner der Modelle öffnen</translation>
    </message>
    <message>
        <source>A model that you trained or imported appears here when its folder lies in the folder of models. With another model all sounds are listened to again; until that is done the old one answers.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Notice changes in the folders by themselves</source>
        <translation>Änderungen in den Ordnern von selbst bemerken</translation>
    </message>
    <message>
        <source>Look at all folders when the window opens</source>
        <translation>Alle Ordner beim Öffnen des Fensters einlesen</translation>
    </message>
    <message>
        <source>Write captions in the background</source>
        <translation>Beschreibungen im Hintergrund schreiben</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>One per core</source>
        <translation>Einer je Kern</translation>
    </message>
    <message>
        <source>Rendered regions</source>
        <translation>Gerenderte Ausschnitte</translation>
    </message>
    <message>
        <source>Kept for</source>
        <translation>Aufbewahrt</translation>
    </message>
    <message>
        <source> days</source>
        <translation> Tage</translation>
    </message>
    <message>
        <source>Sounds in memory</source>
        <translation>Klänge im Speicher</translation>
    </message>
    <message>
        <source>Another folder…</source>
        <translation>Anderer Ordner…</translation>
    </message>
    <message>
        <source>Empty the cache</source>
        <translation>Zwischenspeicher leeren</translation>
    </message>
    <message>
        <source>Library</source>
        <translation>Bibliothek</translation>
    </message>
    <message>
        <source>Cache</source>
        <translation>Zwischenspeicher</translation>
    </message>
    <message>
        <source>Output</source>
        <translation>Ausgabe</translation>
    </message>
    <message>
        <source>The system's</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Microphone</source>
        <translation>Mikrofon</translation>
    </message>
    <message>
        <source>Play while going through the list</source>
        <translation>Beim Durchgehen der Liste abspielen</translation>
    </message>
    <message>
        <source>Begin at the moment that matches</source>
        <translation>Am passenden Moment beginnen</translation>
    </message>
    <message>
        <source>Skip silence</source>
        <translation>Stille überspringen</translation>
    </message>
    <message>
        <source>Colours</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>No motion</source>
        <translation>Keine Bewegung</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Another language is used from the next start on.</source>
        <translation>Eine andere Sprache gilt ab dem nächsten Start.</translation>
    </message>
    <message>
        <source>Check nothing online</source>
        <translation>Nichts online prüfen</translation>
    </message>
    <message>
        <source>Earshot has nothing that would use the network: no update check, no statistics, no download of models. Searches, captions and recordings stay on this computer. Sound files are only read.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No captioner is installed.</source>
        <translation>Kein Beschreibungsmodell ist installiert.</translation>
    </message>
    <message>
        <source>Written by {0}.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Found: {0} ({1})</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No CUDA device was found; the processor is used.</source>
        <translation>Kein CUDA-Gerät gefunden; der Prozessor wird verwendet.</translation>
    </message>
    <message>
        <source>No model is installed.</source>
        <translation>Kein Modell ist installiert.</translation>
    </message>
    <message>
        <source>{0}
Windows of {1} s every {2} s at {3} kHz, {4} numbers each. Licence: {5}.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} (not connected)</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No output was found. Connect one, or check the system's sound settings.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Folder of the cache</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0}, {1} in use</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>QueryBar</name>
    <message>
        <source>Query</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Describe a sound, or drop one here</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Search for a sound</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Weight of the text; Alt+Up and Alt+Down change it</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Exclude a sound: what follows “not:” is not wanted</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Clear the search</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>RecordDialog</name>
    <message>
        <source>Record an example</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Record again</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Search by it</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Opening the microphone…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The system's microphone</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Microphone</source>
        <translation>Mikrofon</translation>
    </message>
    <message>
        <source>Length</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Recording…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} minutes are recorded, which is the longest.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Recording… It is too loud: move away or turn the microphone down.</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>RelevanceBar</name>
    <message>
        <source>{percent} likely</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Match {steps} of {most}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>ResultsHead</name>
    <message>
        <source>Search everywhere again</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Columns and order</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>List</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Captions</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>ResultsPanel</name>
    <message>
        <source>Searching…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{sounds}, weak matches too</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Hide weak matches</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The best come first; far down nothing resembles what you asked for.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Closest, but weak</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Nothing here matches well.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Below stand the closest sounds; they are weak.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{sounds} matches</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{sounds} match</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Nothing is in here yet.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Recently added</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Your library is empty</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Add a folder of sounds, or drop one here. Names can be searched at once, sounds soon after.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Add a folder</source>
        <translation>Ordner hinzufügen</translation>
    </message>
    <message>
        <source>Try the sample sounds</source>
        <translation>Beispielklänge ausprobieren</translation>
    </message>
    <message>
        <source>Describe a sound</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>For example: metal gate creaks slowly</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Names and captions only, so far.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>The model is being loaded; matches by sound follow in a moment.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Listening…</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No name or caption holds these words.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Nothing to search yet</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sounds appear here as soon as a folder is scanned.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Widen the search:</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Take back some of the words or conditions.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No sound meets all of this</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Drop what is not wanted</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Drop “not: {text}”</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Clear the filters</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Search everywhere</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Show the tail anyway</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Inside {sounds}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>RowList</name>
    <message>
        <source>Results</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sort by</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>SavePopover</name>
    <message>
        <source>Name of the saved search</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Name</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Save</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Save this search</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>SearchPanel</name>
    <message>
        <source>Filters</source>
        <translation>Filter</translation>
    </message>
    <message>
        <source>Saved as “{name}”.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Filters · {count}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>ShortcutEditor</name>
    <message>
        <source>Filter by name or key</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>New key</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>No key</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Default</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>All defaults</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Action</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Keys</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Actions and their keys</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Press a new key for “{0}”.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} is the key of “{1}” already. Take it away there first, or press another one.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Changed.</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>All actions have their default keys.</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>ShortcutSheet</name>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
</context>
<context>
    <name>ShownRow</name>
    <message>
        <source>{n} ch</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>SkippedModel</name>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>Grund</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
</context>
<context>
    <name>SoundView</name>
    <message>
        <source>Sound</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Drag the region to another program or a folder</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>StarRow</name>
    <message>
        <source>Rate {stars}</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Rating: {rating} of 5</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>StatusLine</name>
    <message>
        <source>Pause indexing</source>
        <translation>Indizieren anhalten</translation>
    </message>
    <message>
        <source>Stop indexing</source>
        <translation>Indizieren beenden</translation>
    </message>
    <message>
        <source>Notice</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>{0} · not loaded yet</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} · loading, names can be searched</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>{0} cannot be loaded</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Device and model</source>
        <translation>Gerät und Modell</translation>
    </message>
    <message>
        <source>Resume indexing</source>
        <translation>Indizieren fortsetzen</translation>
    </message>
</context>
<context>
    <name>TagRow</name>
    <message>
        <source>New tag</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Take off the tag {name}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>WelcomePage</name>
    <message>
        <source>Find sounds by describing them</source>
        <translation>Klänge finden, indem man sie beschreibt</translation>
    </message>
    <message>
        <source>Add the folders that hold your sounds. Their names can be searched at once; what they sound like follows while you work. Everything stays on this computer, and your files are never changed.</source>
        <translation>Füge die Ordner mit deinen Klängen hinzu. Nach Namen lässt sich sofort suchen; wie sie klingen, folgt, während du arbeitest. Alles bleibt auf diesem Rechner, und deine Dateien werden nie verändert.</translation>
    </message>
    <message>
        <source>Add a folder</source>
        <translation>Ordner hinzufügen</translation>
    </message>
    <message>
        <source>Try the sample sounds</source>
        <translation>Beispielklänge ausprobieren</translation>
    </message>
</context>
<context>
    <name>WhyList</name>
    <message>
        <source>Sounds like</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Like the clip</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>Sounds like, but should not</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>the name</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>the folder</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>the metadata</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>the caption</source>
        <translation type="unfinished" />
    </message>
    <message>
        <source>“{words}” in {field}</source>
        <translation type="unfinished" />
    </message>
</context>
<context>
    <name>_OpeningPage</name>
    <message>
        <source>Try again</source>
        <translation>Noch einmal versuchen</translation>
    </message>
    <message>
        <source>Choose another library…</source>
        <translation>Andere Bibliothek wählen…</translation>
    </message>
    <message>
        <source>Use the bundled model</source>
        <translation>Mitgeliefertes Modell verwenden</translation>
    </message>
    <message>
        <source>Opening the library…</source>
        <translation>Bibliothek wird geöffnet…</translation>
    </message>
</context>
</TS>
