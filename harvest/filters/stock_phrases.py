"""What Whisper invents in silence and music, by language, without case and signs.

Gathered from what users of openai-whisper, faster-whisper and whisper.cpp report as invented, and from NeMo Curator's
list; the languages in which these are common.
"""

_BY_LANGUAGE: dict[str, tuple[str, ...]] = {
    "en": (
        "you", "bye", "bye bye", "thank you", "thank you very much", "thank you so much", "thanks",
        "thanks for watching", "thank you for watching", "thank you so much for watching",
        "thanks for watching guys", "thank you for listening", "thanks for listening", "see you next time",
        "see you in the next video", "i ll see you in the next video", "please subscribe",
        "please subscribe to my channel", "like and subscribe", "don t forget to subscribe", "the end",
        "please like and subscribe", "please subscribe like comment and share", "music", "applause", "silence",
    ),
    "de": (
        "vielen dank", "vielen dank fürs zuschauen", "danke fürs zuschauen", "danke schön", "bis zum nächsten mal",
        "tschüss", "vielen dank für ihre aufmerksamkeit", "das war s", "copyright wdr 2021", "swr 2020", "swr 2021",
        "musik",
    ),
    "fr": (
        "merci", "merci d avoir regardé cette vidéo", "merci d avoir regardé la vidéo", "merci à tous", "au revoir",
        "musique", "abonnez vous", "n oubliez pas de vous abonner", "à bientôt",
    ),
    "es": (
        "gracias", "gracias por ver el video", "gracias por ver el vídeo", "muchas gracias", "suscríbete", "música",
        "suscríbete al canal", "no olvides suscribirte", "hasta la próxima",
    ),
    "it": (
        "grazie", "grazie per la visione", "grazie a tutti", "grazie per aver guardato il video",
        "iscriviti al canale",
    ),
    "pt": (
        "obrigado", "obrigada", "obrigado por assistir", "inscreva se no canal", "tchau", "até a próxima", "música",
    ),
    "nl": ("bedankt voor het kijken", "dank u wel", "tot de volgende keer"),
    "pl": ("dziękuję", "dziękuję za uwagę", "dzięki za obejrzenie", "dziękuję za oglądanie"),
    "ru": ("продолжение следует", "спасибо за просмотр", "спасибо", "до встречи", "подписывайтесь на канал"),
    "uk": ("дякую за перегляд", "дякую"),
    "tr": ("izlediğiniz için teşekkür ederim", "izlediğiniz için teşekkürler", "altyazı"),
    "ja": ("ご視聴ありがとうございました", "ありがとうございました", "チャンネル登録お願いします", "おやすみなさい"),
    "zh": ("谢谢观看", "謝謝觀看", "谢谢大家", "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "下次再见", "谢谢收看"),
    "ko": ("시청해 주셔서 감사합니다", "감사합니다", "구독과 좋아요 부탁드립니다", "다음 영상에서 만나요"),
}  # fmt: skip

SENTENCES = frozenset(phrase for phrases in _BY_LANGUAGE.values() for phrase in phrases)
"""Whole sentences. Of all languages: what is invented is often of another language than the speech."""

BEGINNINGS = (
    "subtitles by", "subtitled by", "subtitles provided by", "captions by", "captioned by", "transcribed by",
    "transcription by", "translated by", "transcript by", "untertitel der amara", "untertitel von",
    "untertitel im auftrag", "untertitelung", "sous titres réalisés", "sous titrage", "sous titres par",
    "subtítulos realizados", "subtítulos por", "subtítulos creados", "sottotitoli creati", "sottotitoli e revisione",
    "sottotitoli a cura", "legendas pela", "legenda por", "ondertitels ingediend", "ondertiteling",
    "napisy stworzone", "napisy przez", "субтитры сделал", "субтитры создавал", "субтитры подогнал",
    "редактор субтитров", "altyazı m k", "字幕由", "字幕by", "中文字幕", "자막 제공", "자막 by",
)  # fmt: skip
"""Of sentences that name who wrote the subtitles."""
